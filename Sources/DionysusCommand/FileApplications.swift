import ArgumentParser
import DionysusApplication
import DionysusConsumer
import DionysusFile
import DionysusProducer

/// An application that is nothing but its file.
protocol PureFileApplication: FileApplication {}

extension PureFileApplication {
    static var name: String { "dionysus" }
    static var version: String { "0.2.0" }
    static var commands: [any ParsableCommand.Type] {
        [
            CheckCommand.self, PlanCommand<Self>.self, InitCommand.self, DiffCommand.self, FileSchemaCommand.self,
        ]
    }
}

/// One that publishes and consumes.
struct TwoSidedApplication: PureFileApplication {
    let producer: FileProducer
    let consumer: FileConsumer

    init(_ file: DeclarationFile) {
        producer = file.producer ?? FileProducer()
        consumer = file.consumer ?? FileConsumer()
    }
}

/// One that only publishes.
struct PublishingApplication: PureFileApplication {
    let producer: FileProducer

    init(_ file: DeclarationFile) { producer = file.producer ?? FileProducer() }
}

/// One that only consumes.
struct ConsumingApplication: PureFileApplication {
    let consumer: FileConsumer

    init(_ file: DeclarationFile) { consumer = file.consumer ?? FileConsumer() }
}
