/** Texts that change many times a second go straight to their elements, written only when they differ. */
interface Slot {
  readonly element: HTMLElement
  text: string
  title: string
}

const slots = new Map<string, Slot>()

export function holdLiveText(name: string, element: HTMLElement | null): void {
  if (element) slots.set(name, { element, text: '', title: '' })
  else slots.delete(name)
}

/** `title` says why when the text is a dash. */
export function setLiveText(name: string, text: string, title = ''): void {
  const slot = slots.get(name)
  if (!slot) return
  if (slot.text !== text) {
    slot.text = text
    slot.element.textContent = text
  }
  if (slot.title !== title) {
    slot.title = title
    slot.element.title = title
  }
}

export function setLiveAttribute(name: string, attribute: string, value: string): void {
  const element = slots.get(name)?.element
  if (element && element.getAttribute(attribute) !== value) element.setAttribute(attribute, value)
}
