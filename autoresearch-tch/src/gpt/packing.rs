//! Windows that keep to documents.

use std::collections::BTreeMap;

/// The windows of a text, of `context` places each, such that every document is read from its own beginning.
///
/// A document of n symbols after its line end has n places: each reads one symbol and predicts the next. Whole windows
/// are cut off its front, one after the other. What is left of each document, shorter than a window, is packed with
/// other such ends, the longest first, each into the window where it leaves the least room (best fit; Ding et al.,
/// 2024), so that no piece is cut any further. Room that nothing fits stays empty and predicts nothing.
#[derive(Debug)]
pub(super) struct Packed {
    context: usize,
    /// How many whole windows there are up to and including each document.
    whole: Vec<u64>,
    starts: Vec<u64>,
    /// The ends that each further window holds: first symbol read, and places.
    windows: Vec<Vec<(u64, u32)>>,
}

impl Packed {
    /// `starts`: where each document's line end is, and where the last document ends.
    pub(super) fn new(starts: &[u64], context: usize) -> Self {
        let (mut whole, mut ends, mut count) = (Vec::new(), Vec::new(), 0);
        for document in starts.windows(2) {
            let places = (document[1] - document[0]).saturating_sub(1);
            let windows = places / context as u64;
            count += windows;
            whole.push(count);
            let left = (places % context as u64) as u32;
            if left > 0 {
                ends.push((document[0] + windows * context as u64, left));
            }
        }
        // The order of the text settles what is equally long: the same corpus is always packed the same way.
        ends.sort_by_key(|&(start, places)| (std::cmp::Reverse(places), start));
        let mut windows: Vec<Vec<(u64, u32)>> = Vec::new();
        let mut with_room: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (start, places) in ends {
            let best = with_room.range_mut(places..).find_map(|(&room, held)| Some((room, held.pop()?)));
            let (room, window) = best.unwrap_or_else(|| {
                windows.push(Vec::new());
                (context as u32, windows.len() - 1)
            });
            windows[window].push((start, places));
            if room > places {
                with_room.entry(room - places).or_default().push(window);
            }
            if with_room.get(&room).is_some_and(Vec::is_empty) {
                with_room.remove(&room);
            }
        }
        Self { context, whole, starts: starts.to_vec(), windows }
    }

    /// How many windows there are.
    pub(super) fn len(&self) -> usize {
        self.whole.last().copied().unwrap_or(0) as usize + self.windows.len()
    }

    /// The stretches of text in a window: first symbol read, and places.
    pub(super) fn window(&self, index: usize) -> Vec<(u64, u32)> {
        let index = index as u64;
        let whole = self.whole.last().copied().unwrap_or(0);
        if index >= whole {
            return self.windows[(index - whole) as usize].clone();
        }
        let document = self.whole.partition_point(|&up_to| up_to <= index);
        let before = document.checked_sub(1).map_or(0, |before| self.whole[before]);
        vec![(self.starts[document] + (index - before) * self.context as u64, self.context as u32)]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]

        #[test]
        fn every_place_of_every_document_is_in_one_window(
            lengths in prop::collection::vec(1_u64..60, 1..40),
            context in 8_usize..20,
        ) {
            let mut starts = vec![0];
            for length in &lengths {
                starts.push(starts.last().unwrap() + length + 1);
            }
            let packed = Packed::new(&starts, context);
            let mut seen = vec![0; *starts.last().unwrap() as usize];
            for index in 0..packed.len() {
                let stretches = packed.window(index);
                prop_assert!(stretches.iter().map(|s| s.1 as usize).sum::<usize>() <= context);
                for (start, places) in stretches {
                    let document = starts.partition_point(|&s| s <= start) - 1;
                    // It predicts symbols of this document alone, and goes on where a whole window ended.
                    prop_assert!(start + u64::from(places) < starts[document + 1]);
                    prop_assert_eq!((start - starts[document]) % context as u64, 0);
                    (start..start + u64::from(places)).for_each(|place| seen[place as usize] += 1);
                }
            }
            // Each but the last symbol of each document is read once.
            for document in starts.windows(2) {
                let (last, others) = seen[document[0] as usize..document[1] as usize].split_last().unwrap();
                prop_assert!(*last == 0 && others.iter().all(|&n| n == 1));
            }
        }
    }

    #[test]
    fn ends_fill_windows_well() {
        // 7, 5, 3, 2 and 1 places into windows of 8: 7+1, 5+3, 2.
        let starts = [0, 8, 14, 18, 21, 23];
        let packed = Packed::new(&starts, 8);
        assert_eq!(packed.len(), 3);
        assert_eq!(packed.window(0), [(0, 7), (21, 1)]);
        assert_eq!(packed.window(1), [(8, 5), (14, 3)]);
        assert_eq!(packed.window(2), [(18, 2)]);
    }
}
