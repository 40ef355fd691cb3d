//! Makes the release program smaller: it runs in every pod, and its image has a promised limit.

#[expect(clippy::disallowed_methods, reason = "cargo tells build scripts so")]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    if release {
        // Functions of the same code become one, and relocations take a bit each instead of 24 bytes.
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
