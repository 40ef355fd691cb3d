//! Runs other programs and waits for them; the only place of this crate that does.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A command from one line of words; for words that hold no space.
pub(crate) fn words(line: &str) -> Command {
    let mut words = line.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

/// Runs a line of words to its end and answers with its output.
///
/// # Errors
/// Carries the program's own words when it ends badly.
pub(crate) fn run(line: &str) -> Result<String> {
    output(&mut words(line))
}

/// Runs a command to its end and answers with its output; what it says is shown only when it ends badly.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let line = written(command);
    let done = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| missing(&line))?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    if !done.status.success() {
        let complaint = String::from_utf8_lossy(&done.stderr);
        bail!(
            "{line}: {}\n{}",
            done.status,
            tail(&format!("{said}{complaint}"), 30)
        );
    }
    Ok(said)
}

/// Runs a command with its output on the terminal.
pub(crate) fn show(command: &mut Command) -> Result<()> {
    let line = written(command);
    let status = command.status().with_context(|| missing(&line))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

/// Asks again until an answer comes or the time is over.
///
/// Another program's start-up sends no event, so this is the one place that looks at the clock.
pub(crate) fn await_ok<T>(limit: Duration, mut ask: impl FnMut() -> Result<T>) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(fault) if Instant::now() >= end => {
                return Err(fault.context(format!("gave up after {} s", limit.as_secs())));
            }
            Err(_) => pause(),
        }
    }
}

/// Between two looks at other programs, which send no event.
fn pause() {
    std::thread::park_timeout(Duration::from_millis(150));
}

/// Whether a program of this name is on the path.
pub(crate) fn has(program: &str) -> bool {
    run(&format!("which {program}")).is_ok()
}

/// Says what is going on, so that a long step is not a silent one.
pub(crate) fn step(what: impl std::fmt::Display) {
    println!("\u{25b8} {what}");
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn written(command: &Command) -> String {
    let arguments = command.get_args().map(|word| word.to_string_lossy());
    let program = command.get_program().to_string_lossy();
    let mut line = std::iter::once(program)
        .chain(arguments)
        .collect::<Vec<_>>()
        .join(" ");
    if line.len() > 160 {
        line.truncate(line.floor_char_boundary(160));
        line.push('…');
    }
    line
}

fn missing(line: &str) -> String {
    format!("cannot start `{line}`: is the program installed?")
}
