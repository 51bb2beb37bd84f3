import { MantineProvider } from '@mantine/core'
import { QueryClientProvider } from '@tanstack/react-query'
import { BrowserRouter, Route, Routes } from 'react-router'
import { queries } from './api/queries'
import { NotFound } from './pages/errors/error-page'
import { Page, pageSource } from './shell/page'
import { schemeManager } from './shell/scheme'
import { Shell } from './shell/shell'
import { theme, variables } from './theme'

const login = pageSource(() => import('./pages/login/login'))
const home = pageSource(() => import('./pages/home/home'))
const fleetMap = pageSource(() => import('./pages/map/map'), { heavy: true })
const vehicles = pageSource(() => import('./pages/vehicles/vehicles'))
const vehicle = pageSource(() => import('./pages/vehicle/vehicle'))
const newVehicle = pageSource(() => import('./pages/vehicle-form/new-vehicle'))
const editVehicle = pageSource(() => import('./pages/vehicle-form/edit-vehicle'))

export function App() {
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={variables}
      colorSchemeManager={schemeManager}
      defaultColorScheme="auto"
    >
      <QueryClientProvider client={queries}>
        <BrowserRouter>
          <Routes>
            <Route path="login" element={<Page key="login" source={login} />} />
            <Route element={<Shell />}>
              <Route index element={<Page key="home" source={home} />} />
              <Route path="map" element={<Page key="fleetMap" source={fleetMap} />} />
              <Route path="vehicles" element={<Page key="vehicles" source={vehicles} />} />
              <Route path="vehicles/new" element={<Page key="newVehicle" source={newVehicle} />} />
              <Route path="vehicles/:vin" element={<Page key="vehicle" source={vehicle} />} />
              <Route
                path="vehicles/:vin/edit"
                element={<Page key="editVehicle" source={editVehicle} />}
              />
              <Route path="*" element={<NotFound />} />
            </Route>
          </Routes>
        </BrowserRouter>
      </QueryClientProvider>
    </MantineProvider>
  )
}
