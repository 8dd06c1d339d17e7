//! The header of npy files: a Python dictionary with three known keys.

use super::elements::MAX_RANK;
use super::error::Fault;

/// What the header says.
#[derive(Debug)]
pub struct Header {
    /// The element type, such as `<f4`; the whole expression where it is no string.
    pub descr: String,
    /// The first axis fastest.
    pub fortran: bool,
    /// The sizes of the axes.
    pub shape: Vec<u64>,
}

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, keys in any order.
pub fn parse(text: &[u8]) -> Result<Header, Fault> {
    let mut cursor = Cursor { text, at: 0 };
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    cursor.expect(b'{')?;
    while !cursor.eat(b'}') {
        let key = cursor.string()?;
        cursor.expect(b':')?;
        match key.as_str() {
            "descr" => descr = Some(cursor.descr()?),
            "fortran_order" => fortran = Some(cursor.truth()?),
            "shape" => shape = Some(cursor.tuple()?),
            _ => return cursor.fault(format!("the key `{key}` is unknown")),
        }
        if !cursor.eat(b',') {
            cursor.expect(b'}')?;
            break;
        }
    }
    let missing = |key: &str| Fault::Header { at: text.len(), what: format!("`{key}` is missing") };
    Ok(Header {
        descr: descr.ok_or_else(|| missing("descr"))?,
        fortran: fortran.ok_or_else(|| missing("fortran_order"))?,
        shape: shape.ok_or_else(|| missing("shape"))?,
    })
}

struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn fault<T>(&self, what: String) -> Result<T, Fault> {
        Err(Fault::Header { at: self.at, what })
    }

    /// The next byte that is not blank.
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Fault> {
        match self.eat(byte) {
            true => Ok(()),
            false => self.fault(format!("`{}` is missing", byte as char)),
        }
    }

    /// The bytes from here that satisfy `keep`, as text.
    fn run(&mut self, keep: impl Fn(u8) -> bool) -> String {
        let rest = &self.text[self.at..];
        let run = rest.iter().take_while(|&&byte| keep(byte)).count();
        self.at += run;
        String::from_utf8_lossy(&rest[..run]).into_owned()
    }

    fn string(&mut self) -> Result<String, Fault> {
        let quote = match self.peek() {
            Some(quote @ (b'\'' | b'"')) => quote,
            _ => return self.fault("a string is missing".to_string()),
        };
        self.at += 1;
        let text = self.run(|byte| byte != quote);
        self.expect(quote)?;
        Ok(text)
    }

    /// A string, or the rest of the header where the elements have fields.
    fn descr(&mut self) -> Result<String, Fault> {
        match self.peek() {
            Some(b'\'' | b'"') => self.string(),
            Some(b'[') => Err(Fault::Elements { stored: self.run(|byte| byte != b']') + "]" }),
            _ => self.fault("an element type is missing".to_string()),
        }
    }

    fn truth(&mut self) -> Result<bool, Fault> {
        self.peek();
        match self.run(|byte| byte.is_ascii_alphanumeric()).as_str() {
            "True" => Ok(true),
            "False" => Ok(false),
            _ => self.fault("`True` or `False` is missing".to_string()),
        }
    }

    fn tuple(&mut self) -> Result<Vec<u64>, Fault> {
        self.expect(b'(')?;
        let mut sizes = Vec::new();
        while !self.eat(b')') {
            self.peek();
            let size = self.run(|byte| !b",) ".contains(&byte));
            match size.trim_end_matches('L').parse() {
                Ok(size) if sizes.len() < MAX_RANK => sizes.push(size),
                Ok(_) => return Err(Fault::Axes),
                Err(_) => return self.fault(format!("`{size}` is no size")),
            }
            if !self.eat(b',') {
                self.expect(b')')?;
                break;
            }
        }
        Ok(sizes)
    }
}
