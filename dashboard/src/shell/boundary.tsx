import { Component, type ErrorInfo, type ReactNode } from 'react'
import { ErrorPage } from '../pages/errors/error-page'

/** An error of ours in one page leaves the shell standing. */
export class Boundary extends Component<{ children: ReactNode }, { error?: unknown }> {
  override state: { error?: unknown } = {}

  static getDerivedStateFromError(error: unknown) {
    return { error }
  }

  override componentDidCatch(error: unknown, info: ErrorInfo) {
    console.error('page failed', error, info.componentStack)
  }

  override render() {
    if (this.state.error === undefined) return this.props.children
    return <ErrorPage error={this.state.error} retry={() => this.setState({ error: undefined })} />
  }
}
