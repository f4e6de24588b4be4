/** The style of the API's page: one column on narrow windows, light or dark as the system is. */
export const docsStyle: string = `
:root {
  color-scheme: light dark;
  --ink: light-dark(#1c2430, #e4e8ee);
  --soft: light-dark(#566173, #9aa6b8);
  --paper: light-dark(#ffffff, #11161d);
  --panel: light-dark(#f3f5f8, #1a212b);
  --line: light-dark(#d5dbe4, #313c4b);
  --accent: light-dark(#0b5cad, #7db8f5);
  --bad: light-dark(#a8281c, #f59a8f);
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 75rem; padding: 1rem;
  display: grid; gap: 1rem 2rem; grid-template-columns: 13rem minmax(0, 1fr);
  color: var(--ink); background: var(--paper); font: 1rem/1.5 system-ui, sans-serif;
}
header { grid-column: 1 / -1; border-bottom: 1px solid var(--line); }
h1 { margin: 0; font-size: 1.6rem; }
header p { margin: .25rem 0; color: var(--soft); }
a { color: var(--accent); }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: 1rem; background: var(--paper); padding: .5rem; z-index: 1; }
nav { position: sticky; top: 1rem; align-self: start; max-height: calc(100vh - 2rem); overflow-y: auto; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav a { display: block; padding: .25rem .5rem; border-radius: .3rem; text-decoration: none; overflow-wrap: anywhere; }
nav a:hover { background: var(--panel); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
section { margin-bottom: 1.5rem; }
section h2 { margin: 0 0 .5rem; font-size: 1.25rem; scroll-margin-top: 1rem; }
details.operation { border: 1px solid var(--line); border-radius: .5rem; margin-bottom: .75rem; }
details.operation > summary { padding: .6rem .8rem; cursor: pointer; overflow-wrap: break-word; }
details.operation > summary code { font-weight: 600; }
.method { color: var(--accent); font-weight: 700; margin-right: .5rem; }
.what { color: var(--soft); margin-left: .5rem; }
form, .result { padding: 0 .8rem .8rem; }
.parameter {
  display: grid; grid-template-columns: minmax(9rem, 1fr) minmax(0, 2fr); gap: .2rem 1rem;
  padding: .4rem 0; border-top: 1px solid var(--line);
}
.parameter label { font-family: ui-monospace, monospace; font-size: .9rem; overflow-wrap: anywhere; }
.parameter small { grid-column: 1 / -1; color: var(--soft); overflow-wrap: anywhere; }
small code, #about code, section > p code { background: var(--panel); border-radius: .2rem; padding: 0 .2rem; }
.group > summary { cursor: pointer; padding: .4rem 0; border-top: 1px solid var(--line); }
input, select, button {
  font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line);
  border-radius: .3rem; padding: .3rem .5rem; min-width: 0; width: 100%;
}
button { width: auto; background: var(--panel); cursor: pointer; margin: .6rem .5rem 0 0; }
button.send { background: var(--accent); color: var(--paper); border-color: var(--accent); }
pre {
  margin: .4rem 0; padding: .6rem; background: var(--panel); border-radius: .3rem;
  overflow: auto; max-height: 30rem; font: .85rem/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere;
}
.failed { color: var(--bad); }
@media (max-width: 46rem) {
  body { grid-template-columns: minmax(0, 1fr); }
  nav { position: static; max-height: none; }
  nav ul { display: flex; flex-wrap: wrap; }
  .parameter { grid-template-columns: minmax(0, 1fr); }
  .what { display: block; margin: 0; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
`
