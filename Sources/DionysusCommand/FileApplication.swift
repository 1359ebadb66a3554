import ArgumentParser
import Dionysus
import DionysusApplication
import DionysusConsumer
import DionysusFile
import DionysusProducer
import Synchronization

/// The file that the process was started with.
enum LoadedFile {
    private static let file = Mutex<DeclarationFile?>(nil)

    static var current: DeclarationFile? {
        get { file.withLock { $0 } }
        set { file.withLock { $0 = newValue } }
    }
}

/// An application whose declaration is the loaded file.
protocol FileApplication: DionysusApplication {}

extension FileApplication {
    static var name: String { "dionysus" }
    static var version: String { "0.2.0" }
    static var commands: [any ParsableCommand.Type] {
        [
            CheckCommand.self, PlanCommand<Self>.self, InitCommand.self, DiffCommand.self, FileSchemaCommand.self,
        ]
    }

    var settings: ApplicationSettings { LoadedFile.current?.settings ?? ApplicationSettings() }

    func migrateSource(_ transaction: inout Transaction) throws { try migrate(.source, &transaction) }
    func migrateReplica(_ transaction: inout Transaction) throws { try migrate(.replica, &transaction) }

    private func migrate(_ side: DeclarationFile.MigratedSide, _ transaction: inout Transaction) throws {
        for statement in LoadedFile.current?.migration(of: side, transaction.dialect) ?? [] {
            try transaction.run("\(raw: statement)")
        }
    }
}

/// One that publishes and consumes.
struct TwoSidedApplication: FileApplication {
    let producer = LoadedFile.current?.producer ?? FileProducer()
    let consumer = LoadedFile.current?.consumer ?? FileConsumer()
}

/// One that only publishes.
struct PublishingApplication: FileApplication {
    let producer = LoadedFile.current?.producer ?? FileProducer()
}

/// One that only consumes.
struct ConsumingApplication: FileApplication {
    let consumer = LoadedFile.current?.consumer ?? FileConsumer()
}
