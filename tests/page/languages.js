// What is wrong with the languages of the page: one is seen, the other not, and nothing is in one of them alone.
(language => {
  const found = [], seen = it => it.getClientRects().length > 0, other = { en: 'fr', fr: 'en' }[language]
  const root = document.documentElement
  if (root.lang !== language) found.push(`the page says that it is in ${root.lang}`)
  for (const it of document.querySelectorAll('.en')) {
    const fellow = it.nextElementSibling
    if (!fellow || !fellow.classList.contains('fr')) found.push(`"${it.textContent}" is English alone`)
    else if (!fellow.textContent.trim() || !it.textContent.trim()) found.push(`"${it.textContent}" has nothing in one language`)
    else if (it.lang !== 'en' || fellow.lang !== 'fr') found.push(`"${it.textContent}" does not say its language`)
  }
  const count = code => [...document.querySelectorAll('.' + code)].filter(seen)
  if (document.querySelectorAll('.en').length !== document.querySelectorAll('.fr').length) found.push('one language has more than the other')
  for (const it of count(other)) found.push(`"${it.textContent}" is seen in ${other}`)
  if (count(language).length < 100) found.push(`only ${count(language).length} texts are seen in ${language}`)
  // The machine of this test is watched by what these tools write themselves: all of it has both languages.
  for (const it of document.querySelectorAll('.own')) found.push(`"${it.textContent}" is not translated`)
  return found
})
