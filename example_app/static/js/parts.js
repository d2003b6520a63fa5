/** Shows one part of the page in place of the others, and moves the focus there unless the page has only just come. */
export function showPart(name, { isFirst = false } = {}) {
  for (const part of document.querySelectorAll("[data-part]")) part.hidden = part.dataset.part !== name;
  if (!isFirst) document.querySelector(`[data-part="${name}"] :is(h2, input)`)?.focus();
}
