//! The files that models use, on the disk.

use crate::compile::{File, Refusal, Source};
use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

/// Files larger than this are not used.
const LARGEST: u64 = 64 << 20;

/// The folder of a model: what it uses lies there or below, and no link is on the way.
pub struct Folder {
    place: PathBuf,
    /// The model's own file.
    model: Option<String>,
}

impl Folder {
    /// The folder of a model's file; of standard input and of formulas it is the working directory.
    pub fn of(file: Option<&Path>) -> Folder {
        let file = file.filter(|file| *file != Path::new("-"));
        let place = file.and_then(Path::parent).map(Path::to_path_buf).unwrap_or_default();
        let name = file.and_then(Path::file_name);
        let model = name.map(|name| place.join(name).display().to_string());
        Folder { place, model }
    }
}

impl Source for Folder {
    fn open(&self, from: Option<&str>, path: &str) -> Result<File, Refusal> {
        let base = from.map_or(Some(&*self.place), |from| Path::new(from).parent());
        let mut place = base.map(Path::to_path_buf).unwrap_or_default();
        let unreadable = |reason: String| Refusal::Unreadable(path.into(), reason);
        let mut is_file = false;
        for part in Path::new(path).components() {
            match part {
                Component::CurDir => continue,
                Component::Normal(part) => place.push(part),
                _ => return Err(Refusal::Outside(path.into())),
            }
            let found = fs::symlink_metadata(&place).map_err(|error| match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory => Refusal::Missing(path.into()),
                _ => unreadable(error.to_string()),
            })?;
            if found.is_symlink() {
                return Err(Refusal::Linked(path.into()));
            }
            if found.len() > LARGEST {
                return Err(unreadable(format!("it has more than {} MiB", LARGEST >> 20)));
            }
            is_file = found.is_file();
        }
        if !is_file {
            return Err(unreadable("it is no file".into()));
        }
        let bytes = fs::read(&place).map_err(|error| unreadable(error.to_string()))?;
        let text =
            String::from_utf8(bytes).map_err(|_| unreadable("it is no UTF-8 text".into()))?;
        Ok(File { name: place.display().to_string(), text })
    }

    fn model(&self) -> Option<String> {
        self.model.clone()
    }
}
