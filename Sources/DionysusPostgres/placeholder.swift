import Dionysus
