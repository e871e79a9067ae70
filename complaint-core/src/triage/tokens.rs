//! Words out of text, in any script.

/// How many words of one complaint count, over all its texts: more than a description of ordinary length has.
pub(super) const TOKENS_MAX: usize = 4096;
/// Longer words are cut: what is longer is an address or noise.
const WORD_MAX: usize = 40;

/// A number of any kind.
pub(super) const NUMBER: &str = "#";
/// A number beside a currency sign.
pub(super) const MONEY: &str = "#money";
/// Words that were blacked out: `XXXX`.
pub(super) const MASKED: &str = "#masked";

/// The words of a text in order, at most `limit`.
///
/// Case is folded; digits inside words become `0`, so that order numbers do not fill the vocabulary; numbers, amounts
/// and masked passages each become one sign, repetitions of a sign count once. Scripts that put no spaces between words
/// give one word per character, so that pairs of words are pairs of characters. An apostrophe inside a word is dropped.
/// Composed and decomposed accents are not made equal, for which tables would be needed that the core does without.
pub(super) fn tokens(text: &str, limit: usize) -> Vec<String> {
    let mut words = Words { found: Vec::new(), word: String::new(), letters: 0, digits: false, money: false, limit };
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        if words.found.len() >= limit {
            break;
        }
        let next = characters.peek().copied();
        if c.is_numeric() {
            words.digit();
        } else if is_unspaced(c) {
            words.end();
            words.letter(c);
            while let Some(mark) = characters.next_if(|next| is_mark(*next)) {
                words.letter(mark);
            }
            words.end();
        } else if c.is_alphabetic() || is_mark(c) {
            words.letter(c);
        } else if matches!(c, '\'' | '’' | '\u{200c}' | '\u{200d}' | '\u{ad}') && next.is_some_and(char::is_alphabetic)
        {
            // Inside a word; at its start there is nothing to join.
        } else if matches!(c, '.' | ',') && words.is_number() && next.is_some_and(char::is_numeric) {
            // Inside a number.
        } else if matches!(c, '*' | '█') {
            words.letter('x');
        } else {
            words.end();
            words.money = is_currency(c) || words.money && (c == ' ' || c == '\u{a0}');
        }
    }
    words.end();
    words.found.truncate(limit);
    words.found
}

struct Words {
    found: Vec<String>,
    word: String,
    letters: usize,
    digits: bool,
    money: bool,
    limit: usize,
}

impl Words {
    fn letter(&mut self, c: char) {
        if self.letters < WORD_MAX {
            if c.is_ascii() {
                self.word.push(c.to_ascii_lowercase());
            } else {
                // Up and down again is what folds ß with SS and ς with σ.
                self.word.extend(c.to_uppercase().flat_map(char::to_lowercase));
            }
        }
        self.letters += 1;
        self.digits = false;
    }

    fn digit(&mut self) {
        if !self.digits && self.letters < WORD_MAX {
            self.word.push('0');
            self.letters += 1;
        }
        self.digits = true;
    }

    fn is_number(&self) -> bool {
        self.digits && self.word == "0"
    }

    fn end(&mut self) {
        let word = std::mem::take(&mut self.word);
        let sign = if word == "0" {
            Some(if self.money { MONEY } else { NUMBER })
        } else if word.len() > 1 && word.bytes().all(|byte| byte == b'x') {
            Some(MASKED)
        } else {
            None
        };
        match sign {
            Some(sign) if self.found.last().is_some_and(|last| last == sign) => {}
            Some(sign) => self.found.push(sign.to_owned()),
            None if word.is_empty() => {}
            None => self.found.push(word),
        }
        if self.letters > 0 {
            self.money = false;
        }
        self.letters = 0;
        self.digits = false;
        debug_assert!(self.found.len() <= self.limit + 1, "the caller stops at the limit");
    }
}

/// Scripts that put no spaces between words.
fn is_unspaced(c: char) -> bool {
    c.is_alphabetic()
        && matches!(c,
            '\u{0e00}'..='\u{0eff}' // Thai, Lao
            | '\u{1000}'..='\u{109f}' // Burmese
            | '\u{1780}'..='\u{17ff}' // Khmer
            | '\u{3040}'..='\u{30ff}' // Kana
            | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' // Han
        )
}

/// Marks that belong to the letter before them although Unicode does not call them alphabetic: accents that were
/// typed apart, vowel points, and in Indic scripts the signs that join or kill a vowel.
fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{0300}'..='\u{036f}' | '\u{0591}'..='\u{05bd}' | '\u{064b}'..='\u{065f}'
        | '\u{0dca}' | '\u{0e47}'..='\u{0e4e}' | '\u{0ec8}'..='\u{0ecd}' | '\u{1037}'..='\u{103a}' | '\u{17c9}'..='\u{17d3}'
        | '\u{3099}' | '\u{309a}')
        || ('\u{0900}'..='\u{0d7f}').contains(&c) && matches!(u32::from(c) & 0x7f, 0x3c | 0x4d)
}

fn is_currency(c: char) -> bool {
    matches!(c, '$' | '¢' | '£' | '¤' | '¥' | '฿' | '៛' | '\u{20a0}'..='\u{20cf}' | '＄' | '￠' | '￡' | '￥' | '￦')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text, TOKENS_MAX)
    }

    #[test]
    fn case_and_apostrophes_do_not_count() {
        assert_eq!(words("The LID isn't — isn’t! — cracked"), ["the", "lid", "isnt", "isnt", "cracked"]);
        assert_eq!(words("Straße STRASSE ΟΔΟΣ οδος Οδός"), ["strasse", "strasse", "οδοσ", "οδοσ", "οδόσ"]);
        assert_eq!(words("'quoted' Σ"), ["quoted", "σ"]);
    }

    #[test]
    fn numbers_amounts_and_masks_are_signs() {
        assert_eq!(
            words("On XX/XX/XXXX I paid {$100.00}, then $ 1,200 and 30 EUR."),
            ["on", "#masked", "i", "paid", "#money", "then", "#money", "and", "#", "eur"]
        );
        assert_eq!(
            words("Order A-1009 of 12.3.2026, card **** 4711"),
            ["order", "a", "#", "of", "#", "card", "#masked", "#"]
        );
        assert_eq!(words("iPhone12 mp3 ٣٤ १२"), ["iphone0", "mp0", "#"]);
        assert_eq!(words("a xbox X"), ["a", "xbox", "x"]);
        assert_eq!(words("€ 5 then 6"), ["#money", "then", "#"]);
    }

    #[test]
    fn every_script_has_words() {
        assert_eq!(words("Вода не идёт"), ["вода", "не", "идёт"]);
        assert_eq!(words("पानी की समस्या।"), ["पानी", "की", "समस्या"]);
        assert_eq!(words("لا يوجد ماءٌ"), ["لا", "يوجد", "ماءٌ"]);
        assert_eq!(words("没有水。カップ"), ["没", "有", "水", "カ", "ッ", "プ"]);
        assert_eq!(words("น้ำไม่ไหล").len(), 7);
        assert_eq!(words("e\u{301}te\u{301}"), ["e\u{301}te\u{301}"]);
        assert_eq!(words("물이 안 나와요"), ["물이", "안", "나와요"]);
    }

    #[test]
    fn everything_is_bounded() {
        assert_eq!(tokens(&"word ".repeat(100), 7).len(), 7);
        assert_eq!(tokens(&"水".repeat(100), 7).len(), 7);
        assert_eq!(words(&"a".repeat(10_000))[0].len(), WORD_MAX);
        assert!(words("").is_empty());
        assert!(words("  --- !!! \u{0} 🙂").is_empty());
    }
}
