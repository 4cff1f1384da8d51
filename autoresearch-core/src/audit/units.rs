//! One unit for all cells of a column: decimal commas, and percentages among shares.

use super::error::AuditError;
use super::number::{Cell, number};
use super::table::{Format, Table};

/// Reads `2,345` as 2.345 where commas are no delimiters and nothing in the column speaks for thousands.
pub(super) fn decimal_commas(table: &mut Table) {
    let Format::Delimited { delimiter, .. } = table.format else { return };
    if delimiter == ',' {
        return;
    }
    for at in 0..table.names.len() {
        // Three digits behind the comma may be a thousand. Semicolons are written where commas are decimal.
        let (mut three, mut sure, mut against) = (0, delimiter == ';', false);
        for cell in table.column(at).map(plain) {
            match cell.split_once(',') {
                Some((whole, rest)) if digits(whole) && digits(rest) => {
                    three += usize::from(rest.len() == 3);
                    sure |= rest.len() != 3 || whole == "0";
                }
                Some(_) => against |= digits(&cell.replace(',', "")),
                None => against |= cell.contains('.') && matches!(number(cell), Cell::Number(_)),
            }
        }
        if three == 0 || !sure || against {
            continue;
        }
        for row in &mut table.rows {
            let Some(cell) = row.cells.get_mut(at) else { continue };
            if plain(cell).split_once(',').is_some_and(|(whole, rest)| digits(whole) && digits(rest)) {
                *cell = cell.replace(',', ".");
            }
        }
        table.notes.push(format!("The column {} is read with decimal commas.", table.names[at]));
    }
}

fn plain(cell: &str) -> &str {
    cell.trim().trim_start_matches(['+', '-', '\u{2212}']).trim_end_matches(['%', ' '])
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Makes shares of the percentages in a column that has both; says so. An error where it is not clear which is which.
pub(super) fn percent(table: &mut Table, at: usize) -> Result<(), AuditError> {
    let value = |cell: &str| match number(cell) {
        Cell::Number(value) => Some((cell.trim().ends_with('%'), value)),
        _ => None,
    };
    let mut largest: [Option<(f64, String, u64)>; 2] = [None, None];
    for row in &table.rows {
        let Some(cell) = row.cells.get(at) else { continue };
        let Some((percent, value)) = value(cell) else { continue };
        let slot = &mut largest[usize::from(percent)];
        if slot.as_ref().is_none_or(|(most, ..)| value.abs() > *most) {
            *slot = Some((value.abs(), cell.trim().to_string(), row.line));
        }
    }
    let [Some((share, plain, _)), Some((most, percent, line))] = largest else { return Ok(()) };
    let column = table.names[at].clone();
    match (share <= 1.0, most <= 1.0) {
        (true, false) => {}
        // Both are percentages; the sign is left out in some cells.
        (false, false) => {
            table
                .notes
                .push(format!("The column {column} is read as percentages, with the sign or without it."));
            return Ok(());
        }
        _ => return Err(AuditError::MixedUnits { column, percent, line, plain }),
    }
    for row in &mut table.rows {
        let Some(cell) = row.cells.get_mut(at) else { continue };
        if let Some((true, value)) = value(cell) {
            *cell = (value / 100.0).to_string();
        }
    }
    table.notes.push(format!(
        "The column {column} holds shares and percentages: the percentages are divided by 100 (\"{percent}\" in line {line})."
    ));
    Ok(())
}
