import ArgumentParser
import Dionysus
import DionysusApplication
import DionysusEvents
import Foundation

/// An ad's id, in lower case.
struct AdID: ExpressibleByArgument {
    let text: String

    init?(argument: String) {
        guard let id = UUID(uuidString: argument) else { return nil }
        text = id.uuidString.lowercased()
    }
}

/// A price, with up to two decimals.
struct Price: ExpressibleByArgument {
    let value: ExactDecimal

    init?(argument: String) {
        guard let value = ExactDecimal(argument), value.scale <= 2 else { return nil }
        self.value = value
    }
}

/// What the commands that change an ad have in common.
struct ChangeOptions: ParsableArguments {
    @Argument(help: "The ad's id.") var id: AdID
    @Option(help: "The position of the ad's last event; another one is a conflict.") var expected: Int64?

    func execute(_ command: AdCommand) async throws {
        try await withDatabase { database in
            let decision = try await AdStreams.ads.execute(command, on: id.text, expecting: expected, database)
            print("position \(decision.position)")
        }
    }
}

/// Opens the application's database for a command.
func withDatabase(_ body: (any CapturingDatabase) async throws -> Void) async throws {
    let database = try ApplicationEnvironment<AdsApplication>().source()
    do {
        try await body(database)
    } catch {
        await database.close()
        throw error
    }
    await database.close()
}

struct CreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Creates an ad as a draft, and prints its id."
    )

    @Argument(help: "The title.") var title: String
    @Argument(help: "The price, with up to two decimals.") var price: Price
    @Option(help: "The ad's id; a new one by default.") var id: AdID?

    func run() async throws {
        let id = id?.text ?? UUID().uuidString.lowercased()
        try await withDatabase { database in
            try await AdStreams.ads.execute(.create(title: title, price: price.value), on: id, database)
        }
        print(id)
    }
}

struct RepriceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "reprice", abstract: "Changes an ad's price.")

    @OptionGroup var options: ChangeOptions
    @Argument(help: "The price, with up to two decimals.") var price: Price

    func run() async throws { try await options.execute(.reprice(price.value)) }
}

struct RenameCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "rename", abstract: "Changes an ad's title.")

    @OptionGroup var options: ChangeOptions
    @Argument(help: "The title.") var title: String

    func run() async throws { try await options.execute(.rename(title)) }
}

struct PublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "publish", abstract: "Publishes a draft.")

    @OptionGroup var options: ChangeOptions

    func run() async throws { try await options.execute(.publish) }
}

struct RemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "remove", abstract: "Removes an ad for good.")

    @OptionGroup var options: ChangeOptions

    func run() async throws { try await options.execute(.remove) }
}
