//! How the page looks, and the one thing that moves on it: the choice of a language.

/// Colours have a contrast of at least 4.5 on their ground, in both schemes.
pub const STYLE: &str = "
:root{--ground:#fbfaf8;--card:#fff;--text:#1d1d1f;--quiet:#5a5a60;--line:#dcdad5;--ok:#1a7f37;--warning:#9a5b00;--critical:#b3261e;--unknown:#5a5a60;--none:#e4e2dd}
@media (prefers-color-scheme:dark){:root{--ground:#161618;--card:#1f1f22;--text:#f0eff2;--quiet:#a9a9b2;--line:#36363b;--ok:#5fd07c;--warning:#f0b24a;--critical:#ff8a80;--unknown:#a9a9b2;--none:#36363b}}
*{box-sizing:border-box}
html{font:16px/1.5 system-ui,sans-serif;background:var(--ground);color:var(--text)}
html[lang=en] [lang=fr]:not(button),html[lang=fr] [lang=en]:not(button){display:none}
body{margin:0 auto;max-width:76rem;padding:1rem;overflow-wrap:anywhere}
header{display:flex;flex-wrap:wrap;gap:.5rem 1rem;align-items:baseline;justify-content:space-between}
h1{font-size:1.5rem;margin:0}
h2{font-size:1.15rem;margin:1.75rem 0 .5rem;border-bottom:1px solid var(--line)}
h3{font-size:1rem;margin:0}
p{margin:.15rem 0}
.quiet{color:var(--quiet);font-weight:400;font-size:.875rem}
.summary{font-size:1.1rem;padding:.75rem 1rem;background:var(--card);border:1px solid var(--line);border-left:.4rem solid var(--ok);margin:1rem 0}
.summary.warning{border-left-color:var(--warning)}.summary.critical{border-left-color:var(--critical)}.summary.unknown{border-left-color:var(--unknown)}
section{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,22rem),1fr));gap:.75rem}
section>h2,section>ul,section>p{grid-column:1/-1}
article{background:var(--card);border:1px solid var(--line);border-left:.3rem solid var(--ok);padding:.6rem .75rem;min-width:0}
article.warning{border-left-color:var(--warning)}article.critical{border-left-color:var(--critical)}article.unknown{border-left-color:var(--unknown)}
.state{font-weight:600}
.state.ok{color:var(--ok)}.state.warning{color:var(--warning)}.state.critical{color:var(--critical)}.state.unknown{color:var(--unknown)}
.hint{font-size:.9rem;color:var(--quiet)}
svg{display:block;width:100%;margin-top:.4rem}
.bars{height:1.5rem;background:var(--none)}.curve{height:3rem}
rect.ok{fill:var(--ok)}rect.warning{fill:var(--warning)}rect.critical{fill:var(--critical)}rect.unknown{fill:var(--unknown)}
.curve path{fill:none;stroke:var(--text);stroke-width:1.5;vector-effect:non-scaling-stroke}
.incidents{list-style:none;margin:0;padding:0}
.incidents li{border-left:.3rem solid var(--warning);padding:.25rem .75rem;margin:.4rem 0;background:var(--card)}
.incidents li.critical{border-left-color:var(--critical)}.incidents li.unknown{border-left-color:var(--unknown)}
button{font:inherit;color:var(--text);background:var(--card);border:1px solid var(--line);padding:.3rem .75rem;min-height:2rem;cursor:pointer}
button[aria-pressed=true]{border-color:var(--text);font-weight:600}
.languages{display:flex;gap:.4rem}
footer{margin-top:2rem;color:var(--quiet);font-size:.875rem}
";

/// Takes the reader's language, and remembers another choice.
pub const SCRIPT: &str = "
(function(){
  var root=document.documentElement,buttons=document.querySelectorAll('[data-language]');
  function show(language){
    root.lang=language;
    buttons.forEach(function(it){it.setAttribute('aria-pressed',String(it.dataset.language===language))});
  }
  var kept=null;
  try{kept=localStorage.getItem('language')}catch(e){}
  show(kept||((navigator.language||'').slice(0,2)==='fr'?'fr':'en'));
  buttons.forEach(function(it){it.addEventListener('click',function(){
    try{localStorage.setItem('language',it.dataset.language)}catch(e){}
    show(it.dataset.language);
  })});
})();
";
