// Styles of the shell, one file a component; pages bring their own. Order matters to Mantine.
import '@mantine/core/styles/baseline.css'
import '@mantine/core/styles/default-css-variables.css'
import '@mantine/core/styles/global.css'
import '@mantine/core/styles/Skeleton.css'
import './app.css'
