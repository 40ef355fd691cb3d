//! Writes a tar file (POSIX ustar) that depends on its content only: no times, no owners.

/// One regular file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// At most 100 bytes.
    pub(super) name: &'a str,
    pub(super) data: &'a [u8],
    pub(super) mode: u32,
}

const BLOCK: usize = 512;

/// The whole file in memory.
pub(super) fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut file = Vec::new();
    for entry in entries {
        file.extend(header(entry));
        file.extend(entry.data);
        file.resize(file.len().next_multiple_of(BLOCK), 0);
    }
    file.resize(file.len() + 2 * BLOCK, 0);
    file
}

fn header(entry: &Entry) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    put(&mut header, 0, entry.name);
    put(&mut header, 100, &format!("{:07o}", entry.mode));
    put(&mut header, 108, "0000000"); // owner
    put(&mut header, 116, "0000000"); // group
    put(&mut header, 124, &format!("{:011o}", entry.data.len()));
    put(&mut header, 136, "00000000000"); // time
    put(&mut header, 148, "        "); // the checksum counts its own field as spaces
    put(&mut header, 156, "0"); // a regular file
    put(&mut header, 257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut header, 148, &format!("{sum:06o}\0 "));
    header
}

fn put(header: &mut [u8; BLOCK], at: usize, text: &str) {
    header[at..at + text.len()].copy_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::output;
    use std::process::Command;

    #[test]
    fn the_systems_tar_reads_it() {
        let path = std::env::temp_dir().join(format!("weft-tar-{}", std::process::id()));
        std::fs::write(
            &path,
            tar(&[Entry {
                name: "a/b",
                data: b"hello",
                mode: 0o755,
            }]),
        )
        .unwrap();
        let list = output(Command::new("tar").arg("-tvf").arg(&path)).unwrap();
        let content = output(Command::new("tar").arg("-xOf").arg(&path)).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(
            list.starts_with("-rwxr-xr-x 0/0")
                && list.contains(" 5 1970-01-01 ")
                && list.trim().ends_with("a/b"),
            "{list}"
        );
        assert_eq!(content, "hello");
    }
}
