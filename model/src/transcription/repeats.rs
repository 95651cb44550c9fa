//! When a model repeats itself: Whisper can fall into a loop, which costs time and says nothing.

/// Longest block that is looked for, in tokens.
const BLOCK_MAX: usize = 16;

/// How often a block of so many tokens must stand in a row to be a loop: people say "no no no" and count in
/// triples, but hardly say four words three times, or one word ten times.
const fn times(block: usize) -> usize {
    match block {
        1 => 10,
        2 | 3 => 5,
        _ => 3,
    }
}

/// If the tokens end in a loop: how many of them to keep, which is up to the end of the block's first
/// occurrence. Costs at most 16 comparisons for most tokens.
pub fn loop_from<T: PartialEq>(tokens: &[T]) -> Option<usize> {
    (1..=BLOCK_MAX).find_map(|block| {
        let span = block * times(block);
        let from = tokens.len().checked_sub(span)?;
        let tail = &tokens[from..];
        let repeats = tail.iter().zip(&tail[block..]).all(|(one, next)| one == next);
        repeats.then(|| {
            // The loop may have begun before what was looked at.
            let mut first = from;
            while first > 0 && tokens[first - 1] == tokens[first - 1 + block] {
                first -= 1;
            }
            first + block
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<usize> {
        loop_from(&text.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn a_block_again_and_again_is_a_loop() {
        assert_eq!(
            found("so thank you for watching thank you for watching thank you for watching"),
            Some(5)
        );
        assert_eq!(found(&"x ".repeat(10)), Some(1));
        assert_eq!(found("a b a b a b a b a b"), Some(2));
        // It is found however late one looks.
        assert_eq!(found(&format!("so {}", "x ".repeat(15))), Some(2));
    }

    #[test]
    fn what_people_say_twice_is_none() {
        assert_eq!(found("no no no no no"), None);
        assert_eq!(found("row row row your boat gently down the stream"), None);
        assert_eq!(found("thank you for watching thank you for watching"), None);
        assert_eq!(found(""), None);
        // A loop that was left is none.
        assert_eq!(found(&format!("{} end", "x ".repeat(12))), None);
    }
}
