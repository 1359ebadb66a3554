import Dionysus
import DionysusConsumer
import Hummingbird

/// A route: what it takes, who may ask, and how it answers.
///
/// The router and the OpenAPI document are made of the same list of these.
struct Endpoint: Sendable {
    /// What kind of answer it gives, also to those who may not ask.
    enum Surface: Sendable {
        /// A page for people.
        case page
        /// JSON under `/api/v1`.
        case api
        /// phobos_db_checkpoint's API.
        case events
        /// For everybody: styles, scripts, logging in.
        case open
    }

    /// A value that is given in the query or in the body.
    struct Parameter: Sendable {
        enum Kind: Sendable {
            case text
            case integer
            case boolean
            case time
            case ids
            case choice([String])
            case document
        }

        let name: String
        let kind: Kind
        let meaning: String
        var isRequired = false
    }

    let method: HTTPRequest.Method
    /// The path, with `{name}` for what varies.
    let path: String
    let surface: Surface
    let role: ConsoleRole
    let summary: String
    var query: [Parameter] = []
    var body: [Parameter] = []
    /// The members of the answer and what they are, for the document.
    var answer: [(name: String, meaning: String)] = []
    /// Whether it is a page that changes by itself, and can be streamed.
    var isLive = false
    let handle: @Sendable (Call) async throws -> Answer

    /// Whether it changes something.
    var changes: Bool { method != .get && surface != .open }
}

/// A request that may be answered.
struct Call: Sendable {
    let core: ConsoleCore
    let identity: Identity
    /// What varies in the path.
    let path: [String: String]
    let query: Values
    let body: Values
    /// The page's own path with its query, without the base path.
    let address: String
    /// What forms of this person have to send back.
    let formToken: String

    var system: ObservedSystem { core.system }

    /// Whether this person can change something here.
    func may(_ role: ConsoleRole) -> Bool { identity.role >= role && (role == .read || !core.settings.isReadOnly) }

    func producer() throws -> ObservedSystem.ProducerSide {
        guard let side = system.producer else {
            throw DionysusError(.notFound, "this console shows no producer")
        }
        return side
    }

    func consumer() throws -> ObservedSystem.ConsumerSide {
        guard let side = system.consumer else {
            throw DionysusError(.notFound, "this console shows no consumer")
        }
        return side
    }

    func failures() throws -> ConsumerFailures {
        guard let list = core.failureList else { throw DionysusError(.notFound, "this console shows no consumer") }
        return list
    }

    func broker() throws -> any MessageBroker {
        guard let broker = system.broker else {
            throw DionysusError(
                .brokerUnavailable,
                "this console has no broker",
                advice: "start the console where the broker can be reached"
            )
        }
        return broker
    }

    /// A number in the path.
    /// - Throws: `notFound` for anything else: nothing has such an id.
    func id(_ name: String = "id") throws -> Int64 {
        guard let id = path[name].flatMap({ Int64($0) }) else {
            throw DionysusError(.notFound, "there is no such \(name)")
        }
        return id
    }

    /// A part of the path.
    func part(_ name: String) throws -> String {
        guard let text = path[name], !text.isEmpty else { throw DionysusError(.notFound, "there is no such \(name)") }
        return text
    }
}

/// What a request is answered with.
enum Answer: Sendable {
    case page(Page)
    case json(JSON, HTTPResponse.Status = .ok)
    case redirect(String)
    case bytes(type: String, [UInt8], maxAge: Int)
    /// A file to be kept, with a name that needs no quoting.
    case download(name: String, type: String, [UInt8])
    /// A page that goes on.
    case live(String)
}
