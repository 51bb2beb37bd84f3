import { useTranslation } from 'react-i18next'
import { useNavigate } from 'react-router'
import { queries, useMe } from '../../api/queries'
import { call } from '../../api/request'
import type { Vehicle } from '../../api/types'
import { fleet } from '../../fleet/store'
import { PageFrame } from '../../shell/page-frame'
import { mayChange } from '../../shell/roles'
import { Waiting } from '../../shell/waiting'
import { ErrorPage } from '../errors/error-page'
import { EMPTY_FORM, type FormValues, inputOf, VehicleForm } from './vehicle-form'

export default function NewVehicle() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const me = useMe()
  if (me.isError) return <ErrorPage error={me.error} retry={() => void me.refetch()} />
  if (!me.data) return <Waiting />
  if (!mayChange(me.data.role)) return <ErrorPage kind="forbidden" />

  async function submit(values: FormValues) {
    const { data } = await call<Vehicle>(`/vehicles/${values.vin}`, {
      method: 'PUT',
      ifNoneMatch: '*',
      body: inputOf(values),
    })
    fleet.putOne({ ...data, connectivity: data.connectivity ?? 'never' })
    void queries.invalidateQueries({ queryKey: ['vehicles'] })
    navigate(`/vehicles/${values.vin}`)
  }

  return (
    <PageFrame title={t('form.addTitle')}>
      <VehicleForm
        values={EMPTY_FORM}
        submit={submit}
        submitWord={t('form.add')}
        cancelTo="/vehicles"
      />
    </PageFrame>
  )
}
