//! Every method, operator and statement, with a secret in each place: an error, or a text in which the token stands
//! whole.

use crate::walk_tests::{arguments, context, same_for_every_secret};
use crate::{Templates, methods};

const SECRETS: [&str; 5] = ["alone", "mixed", "listed", "mapped", "rows"];
const PLAIN: [&str; 4] = ["text", "number", "list", "map"];

/// What is written with two operands, `A` and `B`.
const OPERATORS: &[&str] = &[
    "{{ A == B }}",
    "{{ A != B }}",
    "{{ A < B }}",
    "{{ A <= B }}",
    "{{ A > B }}",
    "{{ A >= B }}",
    "{{ 'a' < A < B }}",
    "{{ A in B }}",
    "{{ A not in B }}",
    "{{ A + B }}",
    "{{ A - B }}",
    "{{ A * B }}",
    "{{ A / B }}",
    "{{ A // B }}",
    "{{ A % B }}",
    "{{ A ** B }}",
    "{{ A ~ B }}",
    "{{ A and B }}",
    "{{ A or B }}",
    "{{ 'yes' if A else B }}",
    "{{ 'yes' if A == B else 'no' }}",
    "{{ A[B] }}",
    "{{ A[B:] }}",
    "{{ A[:B] }}",
    "{{ A[::B] }}",
    "{{ [A, B] }}",
    "{{ [A, B] == [B, A] }}",
    "{{ [A, B] | map('length') | list }}",
    "{{ (A, B)[0] }}",
    "{{ (A ~ B)[0] }}",
    "{{ (A ~ B) | length }}",
    "{{ {A: B} }}",
    "{{ {'k': A, 'l': B} }}",
    "{{ {'k': A} == {'k': B} }}",
    "{{ dict(k=A, l=B) }}",
    "{{ dict(A, k=B) }}",
    "{{ range(A, B) | list }}",
    "{{ range(*A) | list }}",
    "{{ namespace(k=A).k == B }}",
    "{% if A == B %}yes{% else %}no{% endif %}",
    "{% for x in A if x == B %}{{ loop.index }}{% endfor %}",
    "{% for x in A if x in B %}{{ loop.index }}{% endfor %}",
    "{% for x in A %}{{ loop.changed(B) }}{% endfor %}",
    "{% for x in A %}{{ loop.cycle(B, 'x') }}{% endfor %}",
    "{% set x, y = A %}{{ x }}{{ B }}",
    "{% set x = A %}{% set y = B %}{{ x < y }}",
    "{% set x %}{{ A }}{% endset %}{{ x == B }}",
    "{% macro m(a, b) %}{{ a == b }}{% endmacro %}{{ m(A, B) }}",
    "{% macro m(a, b) %}{{ a }}{% endmacro %}{{ m(A) ~ B }}",
    "{% macro m(a, b) %}{{ a }}{% endmacro %}{{ m(A) in B }}",
    "{% with x = A, y = B %}{{ x if y else 'no' }}{% endwith %}",
    "{% filter replace(A, B) %}x{% endfilter %}",
];

/// What would compare, measure or take apart a secret that is `A` or `B`: nothing of these may go through, since a
/// comparison that is silently false says nothing about the token's text either.
const REFUSED: &[&str] = &[
    "{{ A == B }}",
    "{{ A != B }}",
    "{{ A < B }}",
    "{{ A <= B }}",
    "{{ A > B }}",
    "{{ A >= B }}",
    "{{ [A] == [B] }}",
    "{{ {'k': A} == {'k': B} }}",
    "{{ A in [B] }}",
    "{{ A in B }}",
    "{{ [1] is contains(A) or [1] is contains(B) }}",
    "{{ A is eq B }}",
    "{{ A is sameas B }}",
    "{{ [A, B] | sort }}",
    "{{ [A, B] | unique | list }}",
    "{{ [A, B] | max }}",
    "{{ [[A, B]] | join }}",
    "{{ [A, B] | select | list }}",
    "{{ [A, B] | map('upper') | list }}",
    "{{ (A ~ B) | length }}",
    "{{ (A ~ B)[0] }}",
    "{{ (A ~ B)[1:] }}",
    "{{ (A ~ B) * 2 }}",
    "{{ 'yes' if A ~ B else 'no' }}",
    "{{ not (A ~ B) }}",
    "{{ (A ~ B).upper() }}",
    "{{ 'x'.join([A, B]) }}",
    "{{ 'x'.startswith(A ~ B) }}",
    "{{ '{}'.format(A ~ B) }}",
    "{{ map.get(A ~ B) }}",
    "{{ map[A ~ B] }}",
    "{{ {(A ~ B): 1} }}",
    "{% for x in A ~ B %}{% endfor %}",
    "{% for x in (A ~ B) | list %}{% endfor %}",
    "{% set x %}{{ A }}{{ B }}{% endset %}{{ x == 'x' }}",
    "{% macro m(a, b) %}{{ a == b }}{% endmacro %}{{ m(A, B) }}",
    "{% filter upper %}{{ A }}{{ B }}{% endfilter %}",
];

/// What is written with one, `A`.
const SINGLE: &[&str] = &[
    "{{ A }}",
    "x{{ A }}y",
    "{{ -A }}",
    "{{ +A }}",
    "{{ not A }}",
    "{{ A[0] }}",
    "{{ A[-1] }}",
    "{{ A['k'] }}",
    "{{ A.k }}",
    "{{ A.0 }}",
    "{{ A.k.l }}",
    "{{ A.k[0] }}",
    "{{ A[0][0] }}",
    "{{ A[1:] }}",
    "{{ A[::-1] }}",
    "{{ A | first }}",
    "{{ A | list }}",
    "{{ A | list | length }}",
    "{{ A() }}",
    "{{ A.k() }}",
    "{{ A is defined }}",
    "{{ A.nope is defined }}",
    "{{ A.nope | default('d') }}",
    "{{ 'yes' if A else 'no' }}",
    "{{ 'yes' if A.k else 'no' }}",
    "{% if A %}yes{% endif %}",
    "{% if not A %}no{% endif %}",
    "{% for x in A %}{{ x }}{% endfor %}",
    "{% for x in A %}x{% else %}none{% endfor %}",
    "{% for x in A %}{{ loop.length }}{{ loop.last }}{% endfor %}",
    "{% for x in A | list %}{{ x }}{% endfor %}",
    "{% for x in A %}{{ x | length }}{% endfor %}",
    "{% for x in A %}{{ loop.previtem | default('') }}{% endfor %}",
    "{% for k, v in A.items() %}{{ k }}={{ v }}{% endfor %}",
    "{% for k, v in A.items() if v %}{{ k }}{% endfor %}",
    "{% for x, y in A %}{{ x }}{% endfor %}",
    "{% for x in A.values() %}{{ x }}{% endfor %}",
    "{% set x %}{{ A }}{% endset %}{{ x | length }}",
    "{% set x %}a{{ A }}{% endset %}{{ x }}",
    "{% set ns = namespace(n='') %}{% for x in A %}{% set ns.n = ns.n ~ x %}{% endfor %}{{ ns.n }}",
    "{% set ns = namespace(n='') %}{% set ns.n = A %}{{ ns.n[0] }}",
    "{% macro m(a) %}{{ a[0] }}{% endmacro %}{{ m(A) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(A)[0] }}",
    "{% macro m(a) %}{{ caller() }}{% endmacro %}{% call m(1) %}{{ A }}{% endcall %}",
    "{% macro m() %}{{ caller() | upper }}{% endmacro %}{% call m() %}{{ A }}{% endcall %}",
    "{% filter upper %}{{ A }}{% endfilter %}",
    "{% filter trim %}x{% endfilter %}{{ A }}",
    "{{ [A] | map(attribute='k') | list }}",
    "{{ [A] | map(attribute=0) | list }}",
    "{{ [A] | selectattr('k') | list | length }}",
    "{{ [A, 'x'] | select | list | length }}",
    "{{ [[A]] | flatten | first }}",
    "{{ '%s' % A }}",
    "{{ '%s' | format(A) }}",
    "{{ '{}'.format(A) }}",
    "{{ '{a}'.format(a=A) }}",
    "{{ A.format(1) }}",
    "{{ A.upper }}",
    "{{ A.__class__ }}",
];

#[test]
fn no_method_depends_on_the_text_of_a_token() {
    let mut sources = Vec::new();
    for (subject, rest) in arguments() {
        for name in methods::names() {
            sources.push(format!("{{{{ {subject}.{name}({}) }}}}", rest.join(", ")));
            sources.push(format!("{{{{ {subject}.k.{name}({}) }}}}", rest.join(", ")));
            if let Some(last) = rest.last() {
                sources.push(format!("{{{{ 'kx'.{name}({subject}, {last}) }}}}"));
                sources.push(format!("{{{{ {subject}.{name}(*{last}) }}}}"));
            }
        }
    }
    for secret in SECRETS {
        for (name, word) in [("split", "sep"), ("replace", "old"), ("get", "default"), ("format", "a")] {
            sources.push(format!("{{{{ 'kx{{a}}'.{name}({word}={secret}) }}}}"));
            sources.push(format!("{{{{ map.{name}('nope', {word}={secret}) }}}}"));
        }
    }
    sources.sort();
    sources.dedup();
    same_for_every_secret(&sources, 30);
}

#[test]
fn no_operator_and_no_statement_depends_on_the_text_of_a_token() {
    let mut sources = Vec::new();
    for secret in SECRETS {
        sources.extend(SINGLE.iter().map(|form| form.replace('A', secret)));
        for other in SECRETS.iter().chain(&PLAIN) {
            for form in OPERATORS {
                // A secret below a name as well: `rows[0].k`, `mapped.k`.
                for of in [secret.to_owned(), format!("{secret}.k"), format!("{secret}[0]")] {
                    sources.push(form.replace('A', &of).replace('B', other));
                    sources.push(form.replace('B', &of).replace('A', other));
                }
            }
        }
    }
    sources.sort();
    sources.dedup();
    same_for_every_secret(&sources, 200);
}

#[test]
fn what_would_look_at_a_secret_is_refused_wherever_it_stands() {
    let templates = Templates::new();
    for secret in ["alone", "mixed", "mapped.k", "listed[0]", "rows[0].k"] {
        for other in ["text", "'x'", secret] {
            for form in REFUSED {
                for (a, b) in [(secret, other), (other, secret)] {
                    let source = form.replace('A', a).replace('B', b);
                    let outcome = templates.evaluate("t", &source, &context("a"));
                    let cause = outcome.expect_err(&source).cause;
                    assert!(cause.contains(" cannot work on secret `a`"), "{source} → {cause}");
                }
            }
        }
    }
}
