// What axe-core finds, each with the first three places, and the rules that it tried and found kept.
axe.run({ resultTypes: ['violations'] }).then(it => ({
  rules: it.passes.map(rule => rule.id),
  found: it.violations.map(rule =>
    `axe: ${rule.impact} ${rule.id}: ${rule.nodes.slice(0, 3).map(node => node.html.slice(0, 120)).join(' ')}`),
}))
