// The form of a vehicle, for adding one and for changing one. What is wrong stands at its field.

import { zodResolver } from '@hookform/resolvers/zod'
import { NativeSelect, TextInput } from '@mantine/core'
import { useEffect, useState } from 'react'
import { type FieldPath, useForm } from 'react-hook-form'
import { useTranslation } from 'react-i18next'
import * as z from 'zod/mini'
import { ApiError } from '../../api/request'
import type { VehicleInput } from '../../api/types'
import { Press, PressLink } from '../../shell/press'
import { ErrorNote } from '../errors/error-page'
import '@mantine/core/styles/Input.css'
import classes from './vehicle-form.module.css'
import { checkDigitFits, isVin, tidyVin } from './vin'

export const CLASSES = ['car', 'van', 'heavy'] as const
export const FUELS = ['petrol', 'diesel', 'electric', 'hybrid', 'lpg', 'cng', 'ethanol'] as const

const text = (most: number) => z.string().check(z.maxLength(most, 'form.tooLong'))

const shape = z.object({
  vin: z.string().check(z.refine((value) => isVin(tidyVin(value)), 'form.vin')),
  name: text(200),
  plate: text(32),
  make: text(80),
  class: z.string(),
  fuel: z.string(),
})

export type FormValues = z.infer<typeof shape>

export const EMPTY_FORM: FormValues = {
  vin: '',
  name: '',
  plate: '',
  make: '',
  class: 'car',
  fuel: '',
}

/** What is sent: filled fields only, trimmed. */
export function inputOf(values: FormValues): VehicleInput {
  const input: VehicleInput = {}
  for (const key of ['name', 'plate', 'make', 'class', 'fuel'] as const) {
    const value = values[key].trim()
    if (value) input[key] = value
  }
  return input
}

interface Props {
  values: FormValues
  /** Set when the vehicle exists: its number is no field then. */
  vin?: string
  submit: (values: FormValues) => Promise<void>
  submitWord: string
  cancelTo: string
}

const CODES = new Set(['length', 'vin', 'exists'])

export function VehicleForm({ values, vin, submit, submitWord, cancelTo }: Props) {
  const { t } = useTranslation()
  const form = useForm<FormValues>({
    resolver: zodResolver(shape),
    defaultValues: { ...values, vin: vin ?? values.vin },
    mode: 'onTouched',
  })
  const { errors, isSubmitting, isDirty, isSubmitSuccessful } = form.formState
  const typed = tidyVin(form.watch('vin'))
  const [failure, setFailure] = useState<unknown>()

  useEffect(() => {
    if (!isDirty || isSubmitSuccessful) return
    const stay = (event: BeforeUnloadEvent) => event.preventDefault()
    window.addEventListener('beforeunload', stay)
    return () => window.removeEventListener('beforeunload', stay)
  }, [isDirty, isSubmitSuccessful])

  async function send(next: FormValues) {
    setFailure(undefined)
    try {
      await submit({ ...next, vin: tidyVin(next.vin) })
    } catch (error) {
      if (!placeErrors(error)) setFailure(error)
    }
  }

  /** Put the site's refusal at the fields it names; false when it names none. */
  function placeErrors(error: unknown): boolean {
    if (!(error instanceof ApiError)) return false
    const refusals = error.problem.errors ?? []
    if (error.status === 412 && !vin) refusals.push({ pointer: '/vin', code: 'exists' })
    const known = refusals.filter(({ pointer }) => pointer.slice(1) in EMPTY_FORM)
    for (const { pointer, code } of known) {
      const field = pointer.slice(1) as FieldPath<FormValues>
      const message = `form.code.${CODES.has(code) ? code : 'invalid'}`
      form.setError(field, { message }, { shouldFocus: true })
    }
    return known.length > 0
  }

  const message = (field: keyof FormValues) =>
    errors[field]?.message ? t(errors[field].message) : undefined

  const options = (kind: 'class' | 'fuel', list: readonly string[]) =>
    list.map((value) => ({ value, label: t(`${kind}.${value}`) }))

  return (
    <form
      noValidate
      className={`vigie-panel ${classes.form}`}
      onSubmit={(event) => void form.handleSubmit(send)(event)}
    >
      {vin === undefined && (
        <TextInput
          label={t('field.vin')}
          description={t('form.vinHelp')}
          autoComplete="off"
          autoCapitalize="characters"
          spellCheck={false}
          required
          {...form.register('vin')}
          error={message('vin')}
          inputContainer={(input) => (
            <>
              {input}
              <p role="status" className={classes.warning}>
                {isVin(typed) && !checkDigitFits(typed) ? t('form.checkDigit') : ''}
              </p>
            </>
          )}
        />
      )}
      <div className={classes.pair}>
        <TextInput label={t('field.name')} {...form.register('name')} error={message('name')} />
        <TextInput label={t('field.plate')} {...form.register('plate')} error={message('plate')} />
      </div>
      <TextInput label={t('field.make')} {...form.register('make')} error={message('make')} />
      <div className={classes.pair}>
        <NativeSelect
          label={t('field.class')}
          data={options('class', CLASSES)}
          {...form.register('class')}
          error={message('class')}
        />
        <NativeSelect
          label={t('field.fuel')}
          data={[{ value: '', label: t('form.unknown') }, ...options('fuel', FUELS)]}
          {...form.register('fuel')}
          error={message('fuel')}
        />
      </div>
      {failure !== undefined &&
        (failure instanceof ApiError && failure.status === 412 ? (
          <p role="alert" className={classes.refused}>
            {t('form.changed')}
          </p>
        ) : (
          <ErrorNote error={failure} />
        ))}
      <div className={classes.buttons}>
        <PressLink to={cancelTo}>{t('form.cancel')}</PressLink>
        <Press primary type="submit" disabled={isSubmitting}>
          {submitWord}
        </Press>
      </div>
    </form>
  )
}
