//! Lets what is linked against libtorch find it at run time, with no `LD_LIBRARY_PATH` to set.
use std::env;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Set by the build script of torch-sys, which knows where libtorch is. Absent under its `doc-only` feature.
    let Some(lib) = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else { return };
    run_path(&lib);
    search_path(&lib);
    cuda(&lib);
    allocator(&lib);
}

/// A libtorch with CUDA tells of its devices when its CUDA library is loaded, but nothing refers to a symbol in there, so
/// that the linker would leave it out and libtorch would see no device. This keeps it in binaries, tests and examples of
/// this package; a package that depends on it has to say the same in a build script of its own (docs/gpu.md).
fn cuda(lib: &Path) {
    if matches!(env::var("CARGO_CFG_TARGET_OS").as_deref(), Ok("linux"))
        && lib.join("libtorch_cuda.so").exists()
    {
        for argument in ["-Wl,--no-as-needed", "-ltorch_cuda", "-Wl,--as-needed"] {
            println!("cargo::rustc-link-arg={argument}");
        }
    }
}

/// The few lines of C++ that ask libtorch's allocator for its peak. They need the headers that torch-sys was built with.
fn allocator(lib: &Path) {
    println!("cargo::rerun-if-changed=src/device/allocator.cc");
    let include = lib.parent().map(|root| root.join("include")).unwrap_or_default();
    cc::Build::new()
        .cpp(true)
        .pic(true)
        .warnings(false)
        .std("c++17")
        .include(include)
        .file("src/device/allocator.cc")
        .compile("autoresearch_allocator");
    println!("cargo::rustc-link-lib=c10");
}

/// Binaries, tests and examples of this package, also when started without cargo: a run path in the file itself. The
/// folder as named comes first and what it stands for second, so that a binary outlives the link in the checkout.
fn run_path(lib: &Path) {
    if !matches!(env::var("CARGO_CFG_TARGET_OS").as_deref(), Ok("linux" | "macos")) {
        return;
    }
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    if let Ok(real) = lib.canonicalize()
        && real != lib
    {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", real.display());
    }
}

/// Doctests, and every other package that depends on this one: cargo puts a native search path into the loader's path
/// of what it runs, but only one that lies in the target folder. So a link in there leads to libtorch.
fn search_path(lib: &Path) {
    let Some(link) = env::var_os("OUT_DIR").map(|out| Path::new(&out).join("libtorch")) else { return };
    let _ = std::fs::remove_file(&link); // left by a former run of this script
    match symlink(lib, &link) {
        Ok(()) => println!("cargo::rustc-link-search=native={}", link.display()),
        Err(why) => println!("cargo::warning=no link to libtorch in {}: {why}", link.display()),
    }
}

#[cfg(unix)]
fn symlink(lib: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(lib, link)
}

#[cfg(windows)]
fn symlink(lib: &Path, link: &Path) -> std::io::Result<()> {
    let _ = std::fs::remove_dir(link);
    std::os::windows::fs::symlink_dir(lib, link)
}
