//! Cases as lines of text.
//!
//! `[@listener] [h2] METHOD AUTHORITY TARGET [| name: value]... [| > body] [| + trailer: value]...`
//! or `[@listener] raw BYTES`. `{a,b}` makes a case of each; `\r \n \t \0 \xHH \\` are bytes; a body
//! `> *1000` is that many bytes. Raw bytes get the header that names the case after their first line,
//! or where they say `$case`.

/// How a case is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Http1,
    Http2,
    Raw,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The line that it was written as: its name.
    pub(crate) line: String,
    pub(crate) listener: String,
    pub(crate) form: Form,
    pub(crate) method: String,
    pub(crate) authority: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    pub(crate) raw: Vec<u8>,
}

impl Case {
    fn read(line: &str) -> Self {
        let mut rest = line;
        let mut listener = "main";
        if let Some(after) = line.strip_prefix('@') {
            (listener, rest) = after.split_once(' ').unwrap();
        }
        let mut case = Self {
            line: line.to_owned(),
            listener: listener.to_owned(),
            form: Form::Http1,
            method: String::new(),
            authority: String::new(),
            target: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
            trailers: Vec::new(),
            raw: Vec::new(),
        };
        if let Some(raw) = rest.strip_prefix("raw ") {
            case.form = Form::Raw;
            case.raw = unescaped(raw);
            return case;
        }
        if let Some(after) = rest.strip_prefix("h2 ") {
            (case.form, rest) = (Form::Http2, after);
        }
        let mut sections = rest.split(" | ");
        let mut head = sections.next().unwrap().splitn(3, ' ').map(text);
        let mut word = || head.next().unwrap_or_else(|| panic!("three words: {line}"));
        (case.method, case.authority, case.target) = (word(), word(), word());
        for section in sections {
            case.section(section);
        }
        case
    }

    fn section(&mut self, section: &str) {
        if let Some(body) = section.strip_prefix("> ") {
            self.body = match body.strip_prefix('*') {
                Some(count) => b"0123456789"
                    .iter()
                    .copied()
                    .cycle()
                    .take(count.parse().unwrap())
                    .collect(),
                None => unescaped(body),
            };
            return;
        }
        let trailer = section.strip_prefix("+ ");
        let (name, value) = trailer
            .unwrap_or(section)
            .split_once(':')
            .unwrap_or_else(|| panic!("a header: {section}"));
        let value = value.strip_prefix(' ').unwrap_or(value);
        // Commands to the servers have escapes of their own.
        let value = if name == "x-do" {
            value.to_owned()
        } else {
            text(value)
        };
        let pair = (text(name), value);
        match trailer {
            Some(_) => self.trailers.push(pair),
            None => self.headers.push(pair),
        }
    }
}

/// The cases of a text: a line each, or several by braces; `#` begins a remark.
pub(crate) fn cases(text: &str) -> Vec<Case> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .flat_map(expanded)
        .map(|line| Case::read(&line))
        .collect()
}

/// All lines that the first pair of braces, and then the next ones, stand for.
fn expanded(line: &str) -> Vec<String> {
    let pair = line
        .find('{')
        .and_then(|from| Some((from, from + line[from..].find('}')?)));
    let Some((from, to)) = pair else {
        return vec![line.to_owned()];
    };
    let one = |choice: &str| expanded(&format!("{}{choice}{}", &line[..from], &line[to + 1..]));
    line[from + 1..to].split(',').flat_map(one).collect()
}

/// Text whose escapes are bytes below 128.
fn text(escaped: &str) -> String {
    String::from_utf8(unescaped(escaped)).unwrap()
}

/// The bytes that a text stands for.
pub(crate) fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest.next() {
            Some(b'r') => bytes.push(b'\r'),
            Some(b'n') => bytes.push(b'\n'),
            Some(b't') => bytes.push(b'\t'),
            Some(b'0') => bytes.push(0),
            // What braces would otherwise mean.
            Some(b'c') => bytes.push(b','),
            Some(b'x') => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                let digits = std::str::from_utf8(&digits).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
            }
            Some(other) => bytes.push(other),
            None => bytes.push(b'\\'),
        }
    }
    bytes
}
