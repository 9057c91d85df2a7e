//! Writes the man pages and shell completions of all tools, where packages have them: `manual target/dist/share`.
//!
//! Both come from the command lines themselves, so they cannot say anything else than `--help`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

use clap_complete::{Shell, generate_to};

fn main() -> ExitCode {
    let Some(share) = env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("manual: error: no directory is named to write to");
        return ExitCode::from(2);
    };
    match write(&share) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("manual: error: cannot write below `{}`: {error}", share.display());
            ExitCode::FAILURE
        }
    }
}

fn write(share: &Path) -> io::Result<()> {
    let man = made(share.join("man/man1"))?;
    let shells = [
        (Shell::Bash, made(share.join("bash-completion/completions"))?),
        (Shell::Zsh, made(share.join("zsh/vendor-completions"))?),
        (Shell::Fish, made(share.join("fish/vendor_completions.d"))?),
    ];
    for command in pq_tools::commands() {
        let name = command.get_name().to_owned();
        for (shell, directory) in &shells {
            let written = generate_to(*shell, &mut command.clone(), &name, directory)?;
            if *shell == Shell::Bash {
                fs::rename(written, directory.join(&name))?;
            }
        }
        clap_mangen::generate_to(command, &man)?;
    }
    Ok(())
}

fn made(directory: PathBuf) -> io::Result<PathBuf> {
    fs::create_dir_all(&directory)?;
    Ok(directory)
}
