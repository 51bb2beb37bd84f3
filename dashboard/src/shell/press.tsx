// Buttons and the search field of the shell and the pages opened all day. Mantine's own, with their
// transitions and loaders, come with the forms only.
import type { ComponentProps, ReactNode } from 'react'
import { Link, type LinkProps } from 'react-router'
import { Icon, type IconName } from './icon'
import classes from './press.module.css'

interface Look {
  icon?: IconName
  primary?: boolean
  children: ReactNode
}

function face({ icon, children }: Look) {
  return (
    <>
      {icon && <Icon name={icon} size={18} />}
      <span>{children}</span>
    </>
  )
}

const look = (primary: boolean | undefined) =>
  `${classes.press} ${primary ? classes.primary : classes.plain}`

export function Press({ icon, primary, children, ...rest }: Look & ComponentProps<'button'>) {
  return (
    <button type="button" className={look(primary)} {...rest}>
      {face({ icon, children })}
    </button>
  )
}

export function PressLink({
  icon,
  primary,
  children,
  ...rest
}: Look & Omit<LinkProps, 'children'>) {
  return (
    <Link className={look(primary)} {...rest}>
      {face({ icon, children })}
    </Link>
  )
}

export function CloseButton({ label, onClick }: { label: string; onClick: () => void }) {
  return (
    <button type="button" className={classes.close} aria-label={label} onClick={onClick}>
      <Icon name="close" size={18} />
    </button>
  )
}

interface FieldProps {
  label: string
  hint: string
  value: string
  onChange: (value: string) => void
  /** Shown as a button at the end while there is text. */
  clear?: string
}

export function SearchField({
  label,
  hint,
  value,
  onChange,
  clear,
  ...rest
}: FieldProps & Omit<ComponentProps<'input'>, 'onChange'>) {
  return (
    <div className={classes.field}>
      <Icon name="search" size={18} />
      <input
        type="search"
        aria-label={label}
        placeholder={hint}
        value={value}
        maxLength={64}
        onChange={(event) => onChange(event.currentTarget.value)}
        {...rest}
      />
      {clear && value && <CloseButton label={clear} onClick={() => onChange('')} />}
    </div>
  )
}
