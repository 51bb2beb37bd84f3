import { Skeleton } from '@mantine/core'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import classes from './page-frame.module.css'

/** Nothing for 200 ms, then a skeleton: a quick answer does not flicker. */
export function Waiting() {
  const { t } = useTranslation()
  const [late, setLate] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 200)
    return () => clearTimeout(timer)
  }, [])
  return (
    <div className={classes.frame} aria-busy="true">
      <h1 className={classes.hidden}>{t('page.loading')}</h1>
      {late && (
        <>
          <Skeleton height={28} width={220} mb="lg" />
          <Skeleton height={120} mb="md" />
          <Skeleton height={240} />
        </>
      )}
    </div>
  )
}
