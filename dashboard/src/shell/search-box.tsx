import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useNavigate } from 'react-router'
import { Icon } from './icon'
import { SearchField } from './press'
import classes from './search-box.module.css'

/** Find a vehicle from anywhere: opens the list, filtered. On a phone a link to the list. */
export function SearchBox() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const [text, setText] = useState('')
  return (
    <search className={classes.search}>
      <form
        className={classes.form}
        onSubmit={(event) => {
          event.preventDefault()
          const q = text.trim()
          navigate(q ? `/vehicles?q=${encodeURIComponent(q)}` : '/vehicles')
          setText('')
        }}
      >
        <SearchField
          label={t('search.label')}
          hint={t('search.hint')}
          value={text}
          onChange={setText}
        />
      </form>
      <Link to="/vehicles" className={classes.link} aria-label={t('search.label')}>
        <Icon name="search" />
      </Link>
    </search>
  )
}
