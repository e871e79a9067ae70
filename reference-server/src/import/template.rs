//! Texts with columns in braces: `"{Issue}: {Sub-issue}"`.

use super::mapping::Column;

/// A text with columns in braces; `{{` and `}}` stand for the braces themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Column(Column),
}

impl Template {
    /// Reads a template; `line` is where the mapping has it.
    ///
    /// # Errors
    /// What is wrong with its braces, in words.
    pub fn parse(text: &str, line: usize) -> Result<Self, &'static str> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '{' | '}' if letters.peek() == Some(&letter) => {
                    letters.next();
                    plain.push(letter);
                }
                '{' => {
                    let mut name = String::new();
                    loop {
                        match letters.next() {
                            Some('}') => break,
                            Some('{') | None => return Err("a brace is opened and not closed"),
                            Some(letter) => name.push(letter),
                        }
                    }
                    if name.trim().is_empty() {
                        return Err("a pair of braces names no column");
                    }
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Column(Column { name, line }));
                }
                '}' => return Err("a brace is closed and was not opened"),
                letter => plain.push(letter),
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        if pieces.is_empty() { Err("the template is empty") } else { Ok(Self { pieces }) }
    }

    /// The columns it names.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Column(column) => Some(column),
            Piece::Text(_) => None,
        })
    }

    /// The text with values in place of columns; `None` if `value` has none for one of them.
    pub fn fill<'v>(&self, mut value: impl FnMut(&str) -> Option<&'v str>) -> Option<String> {
        self.pieces.iter().try_fold(String::new(), |mut text, piece| {
            match piece {
                Piece::Text(plain) => text.push_str(plain),
                Piece::Column(column) => text.push_str(value(&column.name)?),
            }
            Some(text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_columns_and_keeps_doubled_braces() {
        let template = Template::parse("{{{Issue}}}: {Sub-issue}!", 1).unwrap();
        let value = |name: &str| match name {
            "Issue" => Some("Late"),
            "Sub-issue" => Some("Very"),
            _ => None,
        };
        assert_eq!(template.fill(value).unwrap(), "{Late}: Very!");
        assert_eq!(template.fill(|name| value(name).filter(|text| *text != "Very")), None);
        assert_eq!(template.columns().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["Issue", "Sub-issue"]);
    }

    #[test]
    fn refuses_braces_that_do_not_match() {
        for bad in ["", "{", "{a", "a}", "{}", "{ }", "{a{b}}"] {
            assert!(Template::parse(bad, 1).is_err(), "{bad:?} was accepted");
        }
    }
}
