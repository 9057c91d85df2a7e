//! A curve, drawn as SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 88.0;

/// What is drawn.
#[derive(Default)]
pub struct Curve<'c> {
    /// Points, in the order of their times.
    pub points: &'c [(i64, f64)],
    /// Its beginning.
    pub from: i64,
    /// Its end.
    pub until: i64,
    /// How far apart two points may be before the line breaks.
    pub apart: i64,
    /// What is at its top; nothing lies above.
    pub top: f64,
    /// Lines that it should stay below, each with its class.
    pub limits: &'c [(f64, &'c str)],
    /// Beginnings of lengths of time, as long as points are apart, in which something failed.
    pub bad: &'c [i64],
}

impl Curve<'_> {
    /// The drawing.
    pub fn svg(&self) -> String {
        #[expect(clippy::cast_precision_loss, reason = "a picture")]
        let x = |at: i64| {
            ((at - self.from) as f64 * WIDTH / (self.until - self.from).max(1) as f64).clamp(0.0, WIDTH)
        };
        let y = |value: f64| HEIGHT - (value / self.top.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0) * HEIGHT;
        let mut drawn = String::new();
        for part in [0.0, 0.5, 1.0] {
            let _ = write!(drawn, "<path class=\"grid-line\" d=\"M0 {0:.1}H{WIDTH}\"/>", HEIGHT * part);
        }
        for at in self.bad.iter().filter(|it| **it + self.apart > self.from) {
            let (left, right) = (x(*at), x(at + self.apart));
            let _ = write!(
                drawn,
                "<rect class=\"bad\" x=\"{left:.1}\" y=\"0\" width=\"{:.1}\" height=\"{HEIGHT}\"/>",
                right - left
            );
        }
        // Where nothing is known there is no line.
        let (mut line, mut area) = (String::new(), String::new());
        for piece in self.pieces() {
            let path: Vec<String> =
                piece.iter().map(|(at, value)| format!("{:.1} {:.1}", x(*at), y(*value))).collect();
            let path = path.join("L");
            if let (Some(first), Some(last)) = (piece.first(), piece.last()) {
                // A point alone is a dot: its line has no length and round ends.
                let _ = write!(line, "M{path}{}", if piece.len() == 1 { "h0" } else { "" });
                let _ = write!(area, "M{path}L{:.1} {HEIGHT}L{:.1} {HEIGHT}Z", x(last.0), x(first.0));
            }
        }
        let _ = write!(drawn, "<path class=\"area\" d=\"{area}\"/><path class=\"line\" d=\"{line}\"/>");
        for (limit, class) in self.limits {
            let _ = write!(drawn, "<path class=\"limit {class}\" d=\"M0 {:.1}H{WIDTH}\"/>", y(*limit));
        }
        format!(
            "<svg class=\"curve\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{drawn}</svg>"
        )
    }

    /// The points in pieces, each without a gap.
    fn pieces(&self) -> Vec<Vec<(i64, f64)>> {
        let mut pieces: Vec<Vec<(i64, f64)>> = Vec::new();
        for point in self.points.iter().filter(|it| it.0 + self.apart > self.from) {
            match pieces.last_mut() {
                Some(piece) if piece.last().is_some_and(|it| point.0 - it.0 <= self.apart * 2) => {
                    piece.push(*point)
                }
                _ => pieces.push(vec![*point]),
            }
        }
        pieces
    }
}

/// The next of 1, 2, 5, 10, 20… that is not less.
pub fn round_up(value: f64) -> f64 {
    let ten = 10f64.powf(value.max(f64::MIN_POSITIVE).log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|it| it * ten).find(|it| *it >= value).unwrap_or(ten * 10.0)
}
