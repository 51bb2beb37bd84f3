import { useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { useNavigate, useParams } from 'react-router'
import { type Loaded, queries, useMe, useVehicle } from '../../api/queries'
import { call } from '../../api/request'
import type { Vehicle } from '../../api/types'
import { title } from '../../fleet/state'
import { PageFrame } from '../../shell/page-frame'
import { mayChange } from '../../shell/roles'
import { Waiting } from '../../shell/waiting'
import { ErrorPage, NotFound } from '../errors/error-page'
import { type FormValues, VehicleForm } from './vehicle-form'
import { isVin } from './vin'

const FIELDS = ['name', 'plate', 'make', 'class', 'fuel'] as const

function formOf(vehicle: Vehicle): FormValues {
  const values = { vin: vehicle.vin } as FormValues
  for (const key of FIELDS) values[key] = vehicle[key] ?? ''
  return values
}

/** Changed fields only, so that two people who change different things do not undo each other. */
export function changes(vehicle: Vehicle, values: FormValues): Record<string, string> {
  const old = formOf(vehicle)
  const changed = FIELDS.filter((key) => values[key].trim() !== old[key])
  return Object.fromEntries(changed.map((key) => [key, values[key].trim()]))
}

export default function EditPage() {
  const { vin = '' } = useParams()
  return isVin(vin) ? <EditVehicle key={vin} vin={vin} /> : <NotFound />
}

function EditVehicle({ vin }: { vin: string }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const me = useMe()
  const loaded = useVehicle(vin)
  // The form is based on the row as first read; a later one must not lend it its version.
  const first = useRef<Loaded>(undefined)
  first.current ??= loaded.data
  const failed = me.error ?? loaded.error
  if (failed)
    return (
      <ErrorPage
        error={failed}
        retry={() => {
          void me.refetch()
          void loaded.refetch()
        }}
      />
    )
  if (!me.data || !first.current) return <Waiting />
  if (!mayChange(me.data.role)) return <ErrorPage kind="forbidden" />
  const { vehicle, etag } = first.current

  async function submit(values: FormValues) {
    const body = changes(vehicle, values)
    if (Object.keys(body).length > 0)
      await call<Vehicle>(`/vehicles/${vin}`, {
        method: 'PATCH',
        ifMatch: etag ?? `"v${vehicle.version}"`,
        body,
      })
    await queries.invalidateQueries({ queryKey: ['vehicles'] })
    navigate(`/vehicles/${vin}`)
  }

  return (
    <PageFrame title={t('form.editTitle', { name: title(vehicle) })}>
      <VehicleForm
        values={formOf(vehicle)}
        vin={vin}
        submit={submit}
        submitWord={t('form.save')}
        cancelTo={`/vehicles/${vin}`}
      />
    </PageFrame>
  )
}
