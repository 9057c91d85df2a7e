// What axe-core finds, each with the first three places, and the rules that it tried and found kept. It does not look into drawings,
// which are hidden from those who hear the page: they are thousands of bars.
axe.run({ exclude: ['svg *'] }, { resultTypes: ['violations'] }).then(it => ({
  rules: it.passes.map(rule => rule.id),
  found: it.violations.map(rule =>
    `axe: ${rule.impact} ${rule.id}: ${rule.nodes.slice(0, 3).map(node => node.html.slice(0, 120)).join(' ')}`),
}))
