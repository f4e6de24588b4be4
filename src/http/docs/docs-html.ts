/** The page that shows an API, with the addresses of its style, its script and the description it reads. */
export function docsHtml({ style, script, openapi }: { style: string; script: string; openapi: string }): string {
  return `<!doctype html>
<html lang="en" data-openapi="${escapeHtml(openapi)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${escapeHtml(style)}">
<script src="${escapeHtml(script)}" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to the resources</a>
<header>
<h1 id="title">API</h1>
<p id="about"></p>
<p><a href="${escapeHtml(openapi)}">Description in OpenAPI 3.1</a></p>
</header>
<nav id="contents" aria-label="Resources"></nav>
<main id="main" tabindex="-1" aria-busy="true"><p id="state" role="status">Loading the description…</p></main>
<noscript><p>This page needs JavaScript, and what it shows does not: <a href="${escapeHtml(openapi)}">the description</a>.</p></noscript>
</body>
</html>
`
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"]/g, (character) => entities[character]!)
}
