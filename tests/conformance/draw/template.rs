//! Templates that come out as a value of a wanted kind. In them `$t` is a variable that holds a text, and so on;
//! `$g` is a group, `$h` a host.

use pq_tests::Chance;

use super::{GROUPS, Kind, NAMED};

const TEXTS: &[&str] = &[
    "{{ $t }}",
    "{{ $t }}-{{ $n }}",
    "a {{ $t }} b",
    "{{ $t | upper }}",
    "{{ $t | lower | replace('a', 'o') }}",
    "{{ $t ~ $n }}",
    "{{ $t + '/' + $t }}",
    "{{ 'yes' if $b else 'no' }}",
    "{{ $t | default('nothing') }}",
    "{{ $t | default('empty', true) }}",
    "{{ inventory_hostname }}",
    "{{ inventory_hostname_short | upper }}",
    "{{ group_names | join(',') }}",
    "{{ groups['$g'] | sort | join(' ') }}",
    "{{ groups['$g'] | default([]) | sort | first | default('none') }}",
    "{{ hostvars[inventory_hostname].$t }}",
    "{{ hostvars['$h']['$t'] | default('unknown') }}",
    "{{ $l | join('-') }}",
    "{{ $l | first | default('none') }}",
    "{{ $l | sort | join(',') }}",
    "{{ $m | dict2items | map(attribute='key') | sort | join(',') }}",
    "{{ $b | ternary('on', 'off') }}",
    "{{ $t | trim }}",
    "{{ $t | basename }}",
    "{{ ('/srv/' ~ $t) | dirname }}",
    "{{ $n | string }}",
    "{% if $b %}yes {{ $t }}{% else %}no{% endif %}",
    "all: {% for item in $l %}{{ item }};{% endfor %}",
    "{# nothing #}a{{ $t }}",
    "{% set y = $n + 1 %}{{ y }}-{{ y * 2 }}",
    "{{ ($m).a | default($t) }}",
    "{{ $t[0:2] }}",
    "{{ $t is defined }} {{ $n }}",
    "{{ '%s is %d' | format($t, $n) }}",
];

const NUMBERS: &[&str] = &[
    "{{ $n }}",
    "{{ $n + 1 }}",
    "{{ $n * 2 - $n }}",
    "{{ $n // 3 }}",
    "{{ $n % 4 }}",
    "{{ ($n - 5) | abs }}",
    "{{ $t | length }}",
    "{{ $l | length }}",
    "{{ $m | length }}",
    "{{ [$n, 3] | max }}",
    "{{ [$n, $n, 7] | min }}",
    "{{ [$n, 1] | sum }}",
    "{{ $n | default(5) }}",
    "{{ ($n | string) | int }}",
    "{{ $t | int }}",
    "{{ $t | int(9) }}",
    "{{ groups['$g'] | default([]) | length }}",
    "{{ hostvars['$h'].$n | default(0) }}",
    "{{ 1 if $b else $n }}",
    "{{ -($n) }}",
];

const FLAGS: &[&str] = &[
    "{{ $b }}",
    "{{ not $b }}",
    "{{ $n > 3 }}",
    "{{ $n == 7 or $b }}",
    "{{ $b and $n >= 0 }}",
    "{{ $t == 'abc' }}",
    "{{ $t is defined }}",
    "{{ $x is defined }}",
    "{{ $x is undefined }}",
    "{{ 'a' in $l }}",
    "{{ 'a' in $m }}",
    "{{ 'web' in group_names }}",
    "{{ inventory_hostname in groups['$g'] | default([]) }}",
    "{{ $b | bool }}",
    "{{ ($n | string) != $t }}",
    "{{ $n is number }}",
    "{{ $t is string }}",
    "{{ $m is mapping }}",
    "{{ 'no' | bool }}",
];

const LISTS: &[&str] = &[
    "{{ $l }}",
    "{{ $l + [$t | default('u')] }}",
    "{{ [$t | default('u'), 'b'] }}",
    "{{ $l | union(['z', 'a']) | sort(case_sensitive=true) }}",
    "{{ $l | difference(['a']) | sort(case_sensitive=true) }}",
    "{{ $l | intersect(['a', 'b']) | sort(case_sensitive=true) }}",
    "{{ $l | unique }}",
    "{{ $l | sort }}",
    "{{ $l | reverse | list }}",
    "{{ $l | map('upper') | list }}",
    "{{ $l | select('equalto', 'a') | list }}",
    "{{ $l | reject('equalto', 'a') | list }}",
    "{{ [$l | default([]), ['c', [$t | default('u')]]] | flatten }}",
    "{{ $l | default([]) }}",
    "{{ $m | list }}",
    "{{ group_names }}",
    "{{ groups['$g'] | default([]) | sort }}",
    "{{ $t.split('/') }}",
    "{{ $l[:2] }}",
    "{{ ($t ~ ' y').split() }}",
];

const MAPS: &[&str] = &[
    "{{ $m }}",
    "{{ $m | combine($m) }}",
    "{{ $m | combine({'a': $n | default(0)}) }}",
    "{{ $m | combine($m, recursive=True) }}",
    "{{ {'a': $t | default('u'), 'b': $n | default(0)} }}",
    "{{ {'a': $m | default({})} }}",
    "{{ $m | default({}) }}",
    "{{ $m | dict2items | items2dict }}",
    "{{ hostvars['$h']['$m'] | default({'a': 1}) }}",
];

const ANYTHING: &[&str] = &[
    "{{ $x }}",
    "{{ [$x | default(1), $x | default(none)] }}",
    "{{ {'deep': [$x | default(2)]} }}",
    "{{ $x | default(none) }}",
    "{{ $n / 2 }}",
    "{{ ($n / 3) | round(2) }}",
    "{{ $m | dict2items }}",
    "{{ $m.a }}",
    "{{ $l[0] }}",
    "{{ $m['b'] | default($l) }}",
    "{{ [$n | default(0), $t | default('u'), $b | default(true)] }}",
    "{{ ($t if $b) ~ '.' }}",
    "{{ none }}",
    "{{ {'t': $t}['t'] }}",
    "{{ [1, 2.5, 'three', true, none] }}",
    "{{ range(3) | list }}",
];

/// Texts inside of lists and maps. None of them is ever undefined, nor is what the templates above put into lists: a
/// variable with something undefined inside is defined for Ansible, and an error only where it is written out.
const INNER: &[&str] = &["{{ $t | default('u') }}", "{{ inventory_hostname }}", "{{ $n | default(0) }}-x"];

/// A template for a text inside of a list or map; the rank as in [`draw`].
pub fn inner(rank: usize, chance: &mut Chance) -> String {
    fill(INNER, rank, chance)
}

/// A template whose value is of that kind and reads only variables of ranks below `rank`, which is not 0.
pub fn draw(kind: Kind, rank: usize, chance: &mut Chance) -> String {
    let table = match kind {
        Kind::Text => TEXTS,
        Kind::Number => NUMBERS,
        Kind::Flag => FLAGS,
        Kind::List => LISTS,
        Kind::Map => MAPS,
        Kind::Any => ANYTHING,
    };
    fill(table, rank, chance)
}

fn fill(table: &[&str], rank: usize, chance: &mut Chance) -> String {
    let mut drawn = String::new();
    let mut parts = chance.pick(table).split('$');
    drawn.push_str(parts.next().unwrap_or(""));
    for part in parts {
        let (letter, rest) = part.split_at(1);
        match letter {
            "g" => drawn.push_str(GROUPS[chance.below(GROUPS.len())]),
            "h" => drawn.push_str(NAMED[chance.below(NAMED.len())]),
            kind => drawn.push_str(&format!("{kind}{}", chance.below(rank))),
        }
        drawn.push_str(rest);
    }
    drawn
}
