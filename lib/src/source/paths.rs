//! What file arguments stand for.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The files that arguments stand for: a directory for the files in it (not
/// those whose names begin with a dot), a pattern for what it matches, both in
/// byte order of names; `-` for stdin.
///
/// # Errors
///
/// Fails if something does not exist or matches nothing.
pub fn expand_paths(arguments: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for argument in arguments {
        if argument == Path::new("-") {
            paths.push(argument.clone());
        } else if let Ok(metadata) = fs::metadata(argument) {
            if metadata.is_dir() {
                paths.extend(files_in(argument)?);
            } else {
                paths.push(argument.clone());
            }
        } else {
            paths.extend(matches_of(argument)?);
        }
    }
    Ok(paths)
}

/// As [`expand_paths`], passing over what is not there yet; never stdin.
///
/// # Errors
///
/// Fails if a folder cannot be read or a pattern is none.
pub(crate) fn present_paths(arguments: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for argument in arguments {
        match fs::metadata(argument) {
            Ok(metadata) if metadata.is_dir() => paths.extend(files_in(argument)?),
            Ok(_) => paths.push(argument.clone()),
            Err(_) if is_pattern(argument) => paths.extend(glob_files(argument)?),
            Err(_) => {}
        }
    }
    Ok(paths)
}

/// The first file in the folder of `path`, in byte order of names, that `is_it`.
pub(super) fn search_folder(
    path: &Path,
    is_it: impl Fn(&File) -> io::Result<bool>,
) -> io::Result<Option<(PathBuf, File)>> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let here = folder == Path::new("");
    let Ok(entries) = fs::read_dir(if here { Path::new(".") } else { folder }) else {
        return Ok(None);
    };
    // Spelled as the path is, so that it is known again: without `./`.
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| folder.join(entry.file_name())))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    for path in paths {
        let Ok(file) = File::open(&path) else { continue };
        if is_it(&file)? {
            return Ok(Some((path, file)));
        }
    }
    Ok(None)
}

fn files_in(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let shown = directory.display();
    let entries = fs::read_dir(directory).with_context(|| format!("cannot read {shown}"))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read {shown}"))?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."));
        if !hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort_by(|a, b| bytes(a).cmp(bytes(b)));
    Ok(files)
}

fn matches_of(argument: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let shown = argument.display();
    if !is_pattern(argument) {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        return Err(File::open(argument).err().unwrap_or_else(missing))
            .with_context(|| format!("cannot open {shown}"));
    }
    let files = glob_files(argument)?;
    anyhow::ensure!(!files.is_empty(), "no file matches {shown}");
    Ok(files)
}

fn is_pattern(argument: &Path) -> bool {
    argument.to_str().is_some_and(|text| text.contains(['*', '?', '[']))
}

fn glob_files(pattern: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let shown = pattern.display();
    let found = glob::glob(&shown.to_string()).with_context(|| format!("bad pattern {shown}"))?;
    let mut files: Vec<PathBuf> = found.flatten().filter(|path| path.is_file()).collect();
    files.sort_by(|a, b| bytes(a).cmp(bytes(b)));
    Ok(files)
}

fn bytes(path: &Path) -> &[u8] {
    OsStr::as_bytes(path.as_os_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_and_patterns_come_in_byte_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.log", "a.log", "Z.log", ".hidden"] {
            File::create(folder.path().join(name)).unwrap();
        }
        let names = |argument: &str| -> Vec<String> {
            let paths = expand_paths(&[folder.path().join(argument)]).unwrap();
            paths.iter().map(|p| p.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(""), ["Z.log", "a.log", "b.log"]);
        assert_eq!(names("[ab].log"), ["a.log", "b.log"]);
        assert!(expand_paths(&[folder.path().join("*.txt")]).is_err());
        assert!(expand_paths(&[folder.path().join("missing")]).is_err());
    }
}
