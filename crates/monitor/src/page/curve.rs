//! A curve, drawn as SVG.

use std::fmt::Write as _;

use crate::number;

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 48.0;

/// Draws points over a length of time (its beginning, its end, how far apart two points may be before the line breaks), up to
/// `most` or the greatest of them; `what` it is, as HTML, and what is true now.
pub fn draw(
    html: &mut String,
    points: &[(i64, f64)],
    (from, until, apart): (i64, i64, i64),
    most: Option<f64>,
    what: &str,
    now: &str,
) {
    let greatest = points.iter().map(|it| it.1).fold(0.0, f64::max);
    let top = most.unwrap_or(greatest).max(f64::MIN_POSITIVE);
    #[expect(clippy::cast_precision_loss, reason = "a picture")]
    let x = |at: i64| (at - from) as f64 * WIDTH / (until - from).max(1) as f64;
    let y = |value: f64| HEIGHT - 1.0 - (value / top).clamp(0.0, 1.0) * (HEIGHT - 2.0);
    let (mut path, mut before) = (String::new(), None);
    for (at, value) in points.iter().filter(|it| it.0 >= from) {
        // Where nothing is known there is no line.
        let joined = before.is_some_and(|before| at - before <= apart * 2);
        let _ = write!(path, "{}{:.1} {:.1}", if joined { 'L' } else { 'M' }, x(*at), y(*value));
        before = Some(*at);
    }
    let _ = writeln!(
        html,
        "<svg class=\"curve\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><path d=\"{path}\"/></svg>\n<p class=\"quiet\">{what}: {} (48 h, max {})</p>",
        super::escaped(now),
        number(greatest.round()),
    );
}
