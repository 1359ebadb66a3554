import DionysusApplication
import DionysusFile
import DionysusProducer

/// An application that publishes what its file declares, and one attribute besides.
@main
struct FileTool: FileApplication {
    static let name = "file-tool"
    static var file: String { "shop.yml" }

    let producer: FileProducer

    init(_ file: DeclarationFile) {
        producer = (file.producer ?? FileProducer())
            .computing("label", of: "Order") { try $0.value("title", as: String.self).uppercased() }
    }
}
