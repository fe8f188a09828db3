//! Finds the marked blocks of a document.

use crate::problem::{Outcome, Problem};

/// A fenced block that the document promises to work.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) name: String,
    pub(crate) language: String,
    pub(crate) text: String,
}

/// The marked blocks in the order of the document; a mark without a block is an error.
pub(crate) fn extract(document: &str) -> Outcome<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut mark: Option<&str> = None;
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = marked(line) {
            mark = Some(name);
        } else if let Some(language) = line.strip_prefix("```") {
            let text: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if let Some(name) = mark.take() {
                blocks.push(Block {
                    name: name.to_owned(),
                    language: language.trim().to_owned(),
                    text: text.join("\n"),
                });
            }
        } else if let Some(name) = mark.filter(|_| !line.trim().is_empty()) {
            return Err(Problem::new(
                format!("after `<!-- run: {name} -->` comes no fenced block"),
                "put the mark right before the block that it names",
            ));
        }
    }
    Ok(blocks)
}

fn marked(line: &str) -> Option<&str> {
    Some(
        line.trim()
            .strip_prefix("<!-- run:")?
            .strip_suffix("-->")?
            .trim(),
    )
}

/// What follows `--` in the one line of `start` that runs the binary.
pub(super) fn arguments(start: &Block) -> Outcome<Vec<String>> {
    let line = start
        .text
        .lines()
        .find_map(|line| line.trim().strip_prefix("cargo run "));
    let arguments = line.and_then(|line| line.split_once("-- "));
    let Some((_, arguments)) = arguments else {
        return Err(Problem::new(
            "the README's block `start` has no line `cargo run … -- ARGUMENTS`",
            "show how the service is started from a clone",
        ));
    };
    let words = arguments
        .split_whitespace()
        .take_while(|word| !word.starts_with(['#', '&']));
    Ok(words.map(str::to_owned).collect())
}

/// The block as it is run: only the address of the service and the page's placeholders change.
pub(super) fn filled(block: &Block, base: &str, key: &str) -> String {
    block
        .text
        .replace("http://127.0.0.1:8080", base)
        .replace("https://dev.mailpass.im", base)
        .replace("YOUR_API_KEY", key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = "\
# A service

<!-- run: start -->
```sh
git clone https://example.com/otpost && cd otpost
cargo run --release -- dev --data x   # leave it running
```

```sh
not marked
```

<!-- run: send -->

```sh
curl https://dev.mailpass.im/api -H 'Authorization: Bearer YOUR_API_KEY'
curl http://127.0.0.1:8080/healthz
```
";

    #[test]
    fn marked_blocks_are_found_in_order_and_others_are_not() {
        let blocks = extract(README).unwrap();

        let names: Vec<_> = blocks.iter().map(|block| block.name.as_str()).collect();
        assert_eq!(names, ["start", "send"]);
        assert_eq!(blocks[0].language, "sh");
        assert!(blocks[1].text.ends_with("/healthz"));
    }

    #[test]
    fn a_mark_without_a_block_is_an_error() {
        assert!(extract("<!-- run: send -->\nJust type it.\n").is_err());
    }

    #[test]
    fn the_service_is_started_with_the_arguments_that_the_readme_shows() {
        let blocks = extract(README).unwrap();

        assert_eq!(arguments(&blocks[0]).unwrap(), ["dev", "--data", "x"]);
        assert!(arguments(&blocks[1]).is_err());
    }

    #[test]
    fn only_the_address_and_the_placeholders_are_filled_in() {
        let blocks = extract(README).unwrap();

        let text = filled(&blocks[1], "http://127.0.0.1:9", "otp_live_x");

        assert_eq!(
            text,
            "curl http://127.0.0.1:9/api -H 'Authorization: Bearer otp_live_x'\n\
             curl http://127.0.0.1:9/healthz"
        );
    }
}
