// What does not fit: the page itself, what begins or ends outside of it, what is wider than the box that it is in.
(() => {
  const found = [], width = innerWidth, page = document.scrollingElement
  const name = it => `${it.tagName.toLowerCase()}.${it.getAttribute('class') || ''} "${(it.textContent || '').trim().slice(0, 40)}"`
  if (page.scrollWidth > width) found.push(`the page is ${page.scrollWidth} wide, and the window ${width}`)
  for (const it of document.body.querySelectorAll('*')) {
    if (it.closest('.hidden, .skip') || it.closest('svg') !== (it.tagName === 'svg' ? it : null)) continue
    const box = it.getBoundingClientRect()
    if (!box.width || getComputedStyle(it).visibility === 'hidden') continue
    if (box.left < -0.5 || box.right > width + 0.5) found.push(`${name(it)} is at ${box.left} to ${box.right} of ${width}`)
    if (it.clientWidth && it.scrollWidth > it.clientWidth + 1) found.push(`${name(it)} holds ${it.scrollWidth} in ${it.clientWidth}`)
  }
  return found
})()
