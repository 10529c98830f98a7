import { useCallback } from 'react'
import { holdLiveText } from './live-text.ts'

/** An element whose text comes from `setLiveText(name, …)`, outside React. */
export function LiveText({ name, className }: { name: string; className?: string }) {
  const hold = useCallback((element: HTMLElement | null) => holdLiveText(name, element), [name])
  return <span ref={hold} className={className ? `num ${className}` : 'num'} data-testid={name} />
}
