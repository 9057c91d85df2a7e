// Takes the reader's language, and remembers another choice. Without it the page is English until French is chosen.
(function () {
  var root = document.documentElement, choices = document.querySelectorAll('input[name=language]'), kept = null;
  try { kept = localStorage.getItem('language') } catch (error) { /* a page that may keep nothing */ }
  var wanted = kept || ((navigator.language || '').slice(0, 2) === 'fr' ? 'fr' : 'en');
  root.lang = wanted;
  choices.forEach(function (it) {
    it.checked = it.value === wanted;
    it.addEventListener('change', function () {
      try { localStorage.setItem('language', it.value) } catch (error) { /* the same */ }
      root.lang = it.value;
    });
  });
})();
