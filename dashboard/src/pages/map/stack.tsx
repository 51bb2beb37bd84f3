// Vehicles that stand in one spot: no zoom takes them apart, so they are listed.
import { useTranslation } from 'react-i18next'
import { fleetState, title } from '../../fleet/state'
import { StateMark } from '../../fleet/state-mark'
import { fleet } from '../../fleet/store'
import { useNow } from '../../fleet/use-fleet'
import { CloseButton } from '../../shell/press'
import classes from './map.module.css'

interface Props {
  vins: string[]
  choose: (vin: string) => void
  close: () => void
}

export function Stack({ vins, choose, close }: Props) {
  const { t } = useTranslation()
  const now = useNow()
  return (
    <div className={`vigie-panel ${classes.stack}`} role="dialog" aria-label={t('map.stack')}>
      <div className={classes.cardHead}>
        <strong>{t('map.here', { count: vins.length })}</strong>
        <CloseButton label={t('map.closeStack')} onClick={close} />
      </div>
      <ul>
        {vins.map((vin) => {
          const row = fleet.get(vin)
          return (
            row && (
              <li key={vin}>
                <button type="button" onClick={() => choose(vin)}>
                  <span>{title(row)}</span>
                  <StateMark state={fleetState(row, now)} />
                </button>
              </li>
            )
          )
        })}
      </ul>
    </div>
  )
}
