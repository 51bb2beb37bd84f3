// The frame of an ordinary page: title (the only h1, focused on navigation), actions, content.
import { type ReactNode, useEffect, useRef } from 'react'
import { useNavigationType } from 'react-router'
import classes from './page-frame.module.css'

let first = true

/** The heading a screen reader lands on after a change of page, and the title of the tab. */
export function PageTitle({
  children,
  title,
  hidden = false,
}: {
  children: ReactNode
  title: string
  hidden?: boolean
}) {
  const ref = useRef<HTMLHeadingElement>(null)
  const kind = useNavigationType()
  useEffect(() => {
    document.title = `${title} · Vigie`
  }, [title])
  // biome-ignore lint/correctness/useExhaustiveDependencies: once a page, not once a change
  useEffect(() => {
    if (!first && kind !== 'REPLACE') ref.current?.focus({ preventScroll: true })
    first = false
  }, [])
  return (
    <h1 ref={ref} tabIndex={-1} className={hidden ? classes.hidden : classes.title}>
      {children}
    </h1>
  )
}

export function PageFrame({
  title,
  heading,
  actions,
  children,
}: {
  title: string
  heading?: ReactNode
  actions?: ReactNode
  children: ReactNode
}) {
  return (
    <div className={classes.frame}>
      <div className={classes.head}>
        <PageTitle title={title}>{heading ?? title}</PageTitle>
        {actions && <div className={classes.actions}>{actions}</div>}
      </div>
      {children}
    </div>
  )
}
