//! Embeds the built pages (`dashboards/web/dist`). Where they are not built yet, a page that says how to build them.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const PLACEHOLDER: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Gridwarden</title></head>\
<body><h1>Gridwarden</h1><p>The API is here; the pages were not built into this program. Run <code>make web</code> and build again.</p>\
</body></html>\n";

fn placeholder() -> io::Result<PathBuf> {
    let folder = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?).join("placeholder");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("index.html"), PLACEHOLDER)?;
    Ok(folder)
}

fn main() -> io::Result<()> {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboards/web");
    let built = web.join("dist");
    let found = built.join("index.html").is_file();
    // The folder above is watched while there is no dist: a path that is missing would make every build run this again.
    println!("cargo::rerun-if-changed={}", if found { &built } else { &web }.display());
    let folder = if found { built } else { placeholder()? };
    memory_serve::load_directory_with_embed(folder, true);
    Ok(())
}
