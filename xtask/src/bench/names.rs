//! Lists of names on the command line.
use clap::builder::PossibleValuesParser;

/// Every name there is.
const ALL: &str = "all";

/// Takes the names that there are, and `all`; others are answered with the list.
pub(super) fn parser(names: Vec<&'static str>) -> PossibleValuesParser {
    PossibleValuesParser::new(names.into_iter().chain([ALL]))
}

/// The names meant, each once, in the order given.
pub(super) fn chosen(given: &[String], names: Vec<&'static str>) -> Vec<String> {
    let mut chosen: Vec<String> = Vec::new();
    for name in given {
        let meant: Vec<&str> = if name == ALL { names.clone() } else { vec![name] };
        for name in meant {
            if !chosen.iter().any(|c| c == name) {
                chosen.push(name.to_string());
            }
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_means_all_and_nothing_comes_twice() {
        let names = || vec!["a", "b", "c"];
        let chosen = |given: &[&str]| {
            let given: Vec<String> = given.iter().map(ToString::to_string).collect();
            super::chosen(&given, names())
        };
        assert_eq!(chosen(&["b", "a", "b"]), ["b", "a"]);
        assert_eq!(chosen(&["c", "all"]), ["c", "a", "b"]);
    }
}
