//! The version that the application tells of itself must be the plan's: otherwise an archive, or an installation, is another one.

use pq_stream::Diagnostic;
use serde_json::json;

use super::life::Life;
use crate::draft::Draft;

/// Reads what a file holds or a program says, and compares the pattern's first group with the version; tells both where they differ.
const COMPARE: &str = r#"my ($word, $app, $want, $pattern, $how, @what) = @ARGV;
open(my $in, $how, @what) or die "cannot read `@what`: $!\n";
my $said = do { local $/; <$in> } // "";
my ($is) = $said =~ /$pattern/m;
exit 0 if defined $is && $is eq $want;
exit 1 if $word eq "asks";
die "`@what` says nothing of a version that `$pattern` finds\n" unless defined $is;
die "$app is version $is by its own word in `@what`, and the plan has $want\n";"#;

/// What its code says of its version, before it is served.
pub(super) fn shipped(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    match life.app.version_probe.as_ref().and_then(|probe| probe.file.as_ref()) {
        Some(file) => compare(draft, life, "<", vec![format!("{}/{file}", life.paths.release)]),
        None => Ok(()),
    }
}

/// What it says itself once it is installed.
pub(super) fn installed(draft: &mut Draft<'_>, life: &Life<'_>) -> Result<(), Diagnostic> {
    let Some(probe) = life.app.version_probe.as_ref().filter(|probe| !probe.argv.is_empty()) else {
        return Ok(());
    };
    let source = &life.app.source;
    let argv = probe.argv.iter().map(|node| draft.renderer.text(source, node, &life.scope));
    let argv = argv.collect::<Result<Vec<_>, _>>()?;
    compare(draft, life, "-|", argv)
}

fn compare(draft: &mut Draft<'_>, life: &Life<'_>, how: &str, what: Vec<String>) -> Result<(), Diagnostic> {
    let Some(probe) = &life.app.version_probe else { return Ok(()) };
    let argv = |word: &str| {
        let fixed = ["perl", "-e", COMPARE, word, &life.app.name, &life.version, &probe.r#match, how];
        fixed.iter().map(|it| (*it).to_owned()).chain(what.iter().cloned()).collect::<Vec<_>>()
    };
    let fields = json!({
        "argv": argv("tells"),
        "unless": argv("asks"),
        "user": life.id(),
        "cwd": life.paths.release,
        "env": life.env,
    });
    let title = format!("{} says that it is {}", life.app.name, life.version);
    draft.step(&life.step("version"), title, "command", fields)
}
