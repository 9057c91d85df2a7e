//! What the engine works out while it compiles: operators between constants, which no fuel bounds.
//!
//! Always true here: what it would cost is counted before anything is worked out.

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Macro, Stmt, UnaryOpKind};
use minijinja::{Error, ErrorKind};

/// Items of constant lists that may be looked at while a template is compiled.
const MOST: u64 = 1_000_000;

/// What a constant expression comes to.
#[derive(Clone, Copy, PartialEq)]
enum Folded {
    /// It is no constant.
    No,
    /// A number, a text, a truth, a map.
    Scalar,
    /// A list of so many items; one that is repeated is made only when it is read.
    List(u64),
}

impl Folded {
    fn items(self) -> u64 {
        if let Folded::List(items) = self { items } else { 0 }
    }
}

/// Refuses a template whose constants would cost too much.
///
/// # Errors
/// They would.
pub(crate) fn bounded(tree: &Stmt<'_>) -> Result<(), Error> {
    let mut cost = Cost(0);
    cost.statement(tree);
    if cost.0 > MOST { Err(Error::from(ErrorKind::OutOfFuel)) } else { Ok(()) }
}

/// What was counted so far.
struct Cost(u64);

impl Cost {
    fn statements(&mut self, all: &[Stmt<'_>]) {
        all.iter().for_each(|it| self.statement(it));
    }

    fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::Template(it) => self.statements(&it.children),
            Stmt::EmitExpr(it) => self.whole(&it.expr),
            Stmt::EmitRaw(_) => {}
            Stmt::ForLoop(it) => {
                self.whole(&it.iter);
                it.filter_expr.iter().for_each(|it| self.whole(it));
                self.statements(&it.body);
                self.statements(&it.else_body);
            }
            Stmt::IfCond(it) => {
                self.whole(&it.expr);
                self.statements(&it.true_body);
                self.statements(&it.false_body);
            }
            Stmt::WithBlock(it) => {
                it.assignments.iter().for_each(|(_, value)| self.whole(value));
                self.statements(&it.body);
            }
            Stmt::Set(it) => {
                self.whole(&it.target);
                self.whole(&it.expr);
            }
            Stmt::SetBlock(it) => {
                it.filter.iter().for_each(|it| self.whole(it));
                self.statements(&it.body);
            }
            Stmt::AutoEscape(it) => {
                self.whole(&it.enabled);
                self.statements(&it.body);
            }
            Stmt::FilterBlock(it) => {
                self.whole(&it.filter);
                self.statements(&it.body);
            }
            Stmt::Macro(it) => self.makes(it),
            Stmt::CallBlock(it) => {
                self.whole(&it.call.expr);
                self.arguments(&it.call.args);
                self.makes(&it.macro_decl);
            }
            Stmt::Do(it) => {
                self.whole(&it.call.expr);
                self.arguments(&it.call.args);
            }
        }
    }

    fn makes(&mut self, it: &Macro<'_>) {
        it.defaults.iter().for_each(|it| self.whole(it));
        self.statements(&it.body);
    }

    fn arguments(&mut self, all: &[CallArg<'_>]) {
        for it in all {
            match it {
                CallArg::Pos(it)
                | CallArg::Kwarg(_, it)
                | CallArg::PosSplat(it)
                | CallArg::KwargSplat(it) => {
                    self.whole(it);
                }
            }
        }
    }

    /// An expression that no operator stands over.
    fn whole(&mut self, expression: &Expr<'_>) {
        self.expression(expression, 1);
    }

    /// An expression that the engine tries so many times: once for itself, and for each operator over it.
    fn expression(&mut self, expression: &Expr<'_>, times: u64) -> Folded {
        let below = times + 1;
        match expression {
            Expr::Const(_) => return Folded::Scalar,
            Expr::Var(_) => {}
            Expr::UnaryOp(it) => {
                let of = self.expression(&it.expr, below);
                return match it.op {
                    UnaryOpKind::Not if of != Folded::No => Folded::Scalar,
                    UnaryOpKind::Neg if of == Folded::Scalar => Folded::Scalar,
                    _ => Folded::No,
                };
            }
            Expr::BinOp(it) => {
                let (left, right) = (self.expression(&it.left, below), self.expression(&it.right, below));
                return self.operator(it.op, (&it.left, left), (&it.right, right), times);
            }
            Expr::Compare(it) => {
                let mut all = vec![self.expression(&it.expr, below)];
                all.extend(it.ops.iter().map(|it| self.expression(&it.expr, below)));
                // The engine goes on until one is no constant.
                for pair in all.windows(2).take_while(|pair| !pair.contains(&Folded::No)) {
                    pair.iter().for_each(|it| self.counts(it.items(), times));
                }
                return if all.contains(&Folded::No) { Folded::No } else { Folded::Scalar };
            }
            Expr::List(it) => return self.literal(&it.items),
            Expr::Tuple(it) => return self.literal(&it.items),
            Expr::Map(it) => {
                self.literal(&it.keys);
                let values = self.literal(&it.values);
                return if values == Folded::No { Folded::No } else { Folded::Scalar };
            }
            Expr::Slice(it) => {
                self.whole(&it.expr);
                [&it.start, &it.stop, &it.step].into_iter().flatten().for_each(|it| self.whole(it));
            }
            Expr::IfExpr(it) => {
                self.whole(&it.test_expr);
                self.whole(&it.true_expr);
                it.false_expr.iter().for_each(|it| self.whole(it));
            }
            Expr::Filter(it) => {
                it.expr.iter().for_each(|it| self.whole(it));
                self.arguments(&it.args);
            }
            Expr::Test(it) => {
                self.whole(&it.expr);
                self.arguments(&it.args);
            }
            Expr::GetAttr(it) => self.whole(&it.expr),
            Expr::GetItem(it) => {
                self.whole(&it.expr);
                self.whole(&it.subscript_expr);
            }
            Expr::Call(it) => {
                self.whole(&it.expr);
                self.arguments(&it.args);
            }
        }
        Folded::No
    }

    /// A list is a constant where all of its items are written out.
    fn literal(&mut self, items: &[Expr<'_>]) -> Folded {
        let mut written = true;
        for it in items {
            written &= matches!(it, Expr::Const(_));
            self.whole(it);
        }
        if written { Folded::List(items.len() as u64) } else { Folded::No }
    }

    fn operator(
        &mut self,
        operator: BinOpKind,
        (left, a): (&Expr<'_>, Folded),
        (right, b): (&Expr<'_>, Folded),
        times: u64,
    ) -> Folded {
        use BinOpKind as Op;
        if a == Folded::No || b == Folded::No {
            return Folded::No;
        }
        match (operator, a, b) {
            (_, Folded::Scalar, Folded::Scalar) => Folded::Scalar,
            (Op::Mul, Folded::List(items), Folded::Scalar) => self.repeated(items, right),
            (Op::Mul, Folded::Scalar, Folded::List(items)) => self.repeated(items, left),
            (Op::Add, Folded::List(one), Folded::List(other)) => Folded::List(one.saturating_add(other)),
            (Op::ScAnd | Op::ScOr, ..) => Folded::List(a.items().max(b.items())),
            (Op::Concat | Op::In | Op::Eq | Op::Ne | Op::Lt | Op::Lte | Op::Gt | Op::Gte, ..) => {
                self.counts(a.items().saturating_add(b.items()), times);
                Folded::Scalar
            }
            (Op::Mul | Op::Add | Op::Sub | Op::Div | Op::FloorDiv | Op::Rem | Op::Pow, ..) => Folded::No,
        }
    }

    fn counts(&mut self, items: u64, times: u64) {
        self.0 = self.0.saturating_add(items.saturating_mul(times));
    }

    /// A list of so many items as often as another constant says, which is worked out where that may be.
    fn repeated(&self, items: u64, by: &Expr<'_>) -> Folded {
        let times = if self.0 > MOST { None } else { by.as_const().and_then(|it| it.as_usize()) };
        times.map_or(Folded::No, |times| Folded::List(items.saturating_mul(times as u64)))
    }
}
