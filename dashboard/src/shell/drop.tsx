// A button that drops a small panel, on the browser's own popover: closed by Escape or a click away.
import { type ReactNode, useId, useRef, useState } from 'react'
import classes from './drop.module.css'

interface Props {
  /** Name of the button; `face` is what it shows. */
  label?: string
  face: ReactNode
  buttonClass?: string
  data?: Record<`data-${string}`, string>
  children: (close: () => void) => ReactNode
}

const GAP_PX = 6

export function Drop({ label, face, buttonClass = classes.tool, data, children }: Props) {
  const id = useId()
  const button = useRef<HTMLButtonElement>(null)
  const panel = useRef<HTMLDivElement>(null)
  const [open, setOpen] = useState(false)

  function place() {
    if (!button.current || !panel.current) return
    const box = button.current.getBoundingClientRect()
    panel.current.style.top = `${box.bottom + GAP_PX}px`
    panel.current.style.right = `${Math.max(8, document.documentElement.clientWidth - box.right)}px`
  }

  return (
    <>
      <button
        ref={button}
        type="button"
        className={buttonClass}
        aria-label={label}
        title={label}
        aria-expanded={open}
        popoverTarget={id}
        {...data}
      >
        {face}
      </button>
      <div
        ref={panel}
        id={id}
        popover="auto"
        className={classes.panel}
        onBeforeToggle={place}
        onToggle={(event) => setOpen(event.newState === 'open')}
      >
        {open && children(() => panel.current?.hidePopover())}
      </div>
    </>
  )
}

interface ChoiceProps {
  chosen?: boolean
  lang?: string
  icon?: ReactNode
  onClick: () => void
  children: ReactNode
}

/** One line of a dropped panel. With `chosen` it is one of several, said by more than colour. */
export function Choice({ chosen, lang, icon, onClick, children }: ChoiceProps) {
  return (
    <button
      type="button"
      className={classes.choice}
      lang={lang}
      aria-pressed={chosen}
      onClick={onClick}
    >
      {icon}
      <span className={classes.words}>{children}</span>
      {chosen && <span aria-hidden="true">✓</span>}
    </button>
  )
}
