"""What the command says, in English and in Brazilian Portuguese."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Sentences(NamedTuple):
    """Say what happened, and what to do about it."""

    happened: str
    to_do: str


@dataclass(frozen=True, slots=True)
class Texts:
    """Hold every sentence in one language. Names in braces are filled in by `str.format()`."""

    needs_extra: str

    error: str
    warning: str
    detail: str
    failures: Mapping[str, Sentences]

    no_token: Sentences
    token_prompt: str
    token_unusable: Sentences
    token_quoted: Sentences
    token_file_unreadable: Sentences
    no_text: str
    wrong_content: str
    quoted: str
    file_is_readable_by_others: str
    base_url_unusable: Sentences
    base_url_quoted: Sentences
    base_url_insecure: Sentences
    decoder_missing: Sentences
    environment_unusable: Sentences

    output_wanted: Sentences
    output_suffix: Sentences
    output_unwritable: Sentences
    no_file: str
    output_failed: Sentences
    output_exists: Sentences
    output_misnamed: str
    saved: str

    too_small: Sentences
    inverted_on_light: str

    asking: str
    steps_title: str
    steps: tuple[str, ...]
    scan_this: str
    scan_this_briefly: str
    lives_for: str
    place: str
    next_in: str
    expires_in: str
    window_too_small: str
    window_to_enlarge: str
    how_to_stop: str

    pair_heading: str
    pair_elsewhere: str
    pair_on_light: str
    pair_picture: str
    pair_no_viewer: str
    pair_linked: str
    pair_question: str
    pair_expired: Sentences
    web_address: str
    web_missing: Sentences

    connected: str
    connected_offline: str
    not_connected: str
    session_lost: str
    link_it: str

    sandbox_serves: str
    sandbox_phone: str
    sandbox_no_phone: str
    sandbox_scanned: str
    sandbox_stop: str
    sandbox_port: Sentences

    demo_heading: str
    demo_phone_waits: str
    demo_phone_scans: str
    demo_phone_scanned: str
    demo_short_code: str
    demo_linked: str
    demo_record: str
    demo_next: str
    demo_next_token: str
    demo_expired: Sentences


ENGLISH = Texts(
    needs_extra="plugchat needs {packages} (extra [cli]). Run: {command}",
    error="Error",
    warning="Warning",
    detail="PlugChat said: {detail}",
    failures={
        "already_connected": Sentences(
            "This instance is already connected to a phone, so there is no code to scan.",
            "Disconnect it in PlugChat's panel before linking another phone.",
        ),
        "authentication_error": Sentences(
            "PlugChat refused the token.",
            "Copy it again from PlugChat's panel.",
        ),
        "instance_not_found": Sentences(
            "PlugChat knows no such instance or address.",
            "Check the token, and the base URL, which ends in /api/whatsapp.",
        ),
        "network_error": Sentences(
            "PlugChat can't be reached.",
            "Check the network, and the base URL if you gave one.",
        ),
        "passkey_required": Sentences(
            "This WhatsApp account requires a passkey, which only a browser can confirm.",
            "Trying again does not help. Ask PlugChat's support how to link this account.",
        ),
        "qr_not_ready": Sentences(
            "PlugChat has no code yet.",
            "Try again in a few seconds.",
        ),
        "rate_limited": Sentences(
            "Too many codes were requested.",
            "Wait a few minutes before you try again.",
        ),
        "request_timeout": Sentences(
            "PlugChat did not answer in time.",
            "Check the network, or give it longer with --timeout.",
        ),
        "server_error": Sentences(
            "PlugChat is down for the moment.",
            "Try again later.",
        ),
        "subscription_required": Sentences(
            "This instance's trial is over, or its subscription unpaid.",
            "Renew it in PlugChat's panel.",
        ),
        "unexpected_redirect": Sentences(
            "PlugChat sent a redirect, which is not followed: the token would go with it.",
            "Check the base URL, which ends in /api/whatsapp.",
        ),
        "unexpected_response": Sentences(
            "PlugChat answered something that is neither a code nor a known error.",
            "Try again; if that does not help, check the base URL, which ends in /api/whatsapp.",
        ),
    },
    no_token=Sentences(
        "There is no token.",
        "Set PLUGCHAT_TOKEN, name a file with --token-file, or run this in a terminal, which asks.",
    ),
    token_prompt="Token (not shown): ",  # noqa: S106 - a prompt
    token_unusable=Sentences(
        "The token is empty, too long, or has characters that no token has.",
        "Copy it again from PlugChat's panel.",
    ),
    token_quoted=Sentences(
        "The token is in quotation marks, which are sent as a part of it.",
        "Remove them: docker --env-file keeps those of the file.",
    ),
    token_file_unreadable=Sentences(
        "The token can't be read from {path}: {reason}.",
        "Name a text file that holds the token and nothing else.",
    ),
    no_text="it is not text in UTF-8",
    wrong_content="it is empty, too long, or has characters that no token has",
    quoted="it is in quotation marks",
    file_is_readable_by_others="Other users can read {path}. Restrict it with: chmod 600 {path}",
    base_url_unusable=Sentences(
        "The base URL is not valid.",
        "It begins with https:// and ends in /api/whatsapp, without user, query or fragment.",
    ),
    base_url_quoted=Sentences(
        "The base URL is in quotation marks, which are taken as a part of it.",
        "Remove them: docker --env-file keeps those of the file.",
    ),
    base_url_insecure=Sentences(
        "The base URL is plain http to another machine: the token would travel in the clear.",
        "Use https, or allow it with --allow-insecure-http.",
    ),
    decoder_missing=Sentences(
        "PlugChat returned an image instead of text.",
        "Decoding it needs Pillow and zxing-cpp (extra [decode]). Run: {command}, or save it:"
        " plugchat image --output FILE",
    ),
    environment_unusable=Sentences(
        "No connection can be made: {reason}.",
        "Check the environment variables SSL_CERT_FILE, HTTPS_PROXY, ALL_PROXY and NO_PROXY.",
    ),
    output_wanted=Sentences(
        "An image can't be written to a terminal.",
        "Name a file with --output FILE, or send it through a pipe.",
    ),
    output_suffix=Sentences(
        "{path} ends in neither .png nor .svg.",
        "Name the file code.png or code.svg, for example.",
    ),
    output_unwritable=Sentences(
        "{path} can't be written: {reason}.",
        "Name a file in an existing folder that you can write to.",
    ),
    no_file="it is a folder, a pipe or a device",
    output_failed=Sentences(
        "The system refused: {reason}.",
        "Check where the output goes, and whether there is room for it.",
    ),
    output_exists=Sentences(
        "{path} already exists, and would be replaced, then removed at the end.",
        "Choose another name, or remove that file first.",
    ),
    output_misnamed="The image is {media_type}, which the name {path} does not say.",
    saved="Saved to {path}. It can be scanned for {seconds} s: until {until}.",
    too_small=Sentences(
        "The code needs a window of {columns} x {rows} characters; this one has"
        " {width} x {height}.",
        "Make it larger, or save the code with --output code.png",
    ),
    inverted_on_light=(
        "Drawn without colours, for a terminal that writes light on dark. On a light one, use"
        " --output code.png"
    ),
    asking="Asking for a code...",
    steps_title="Link a phone",
    steps=(
        "Open WhatsApp on the phone",
        "Settings > Linked devices",
        "Link a device",
        "Point the camera at this code",
    ),
    scan_this="On the phone: WhatsApp > Settings > Linked devices > Link a device",
    scan_this_briefly="WhatsApp > Linked devices > Link a device",
    lives_for="This code can be scanned for {seconds} s: until {until}.",
    place="Code {round} of {rounds}",
    next_in="a new one in {seconds} s",
    expires_in="expires in {seconds} s",
    window_too_small="This window is too small for the code",
    window_to_enlarge="It needs {columns} x {rows} characters and has {width} x {height}.\n"
    "Make it larger, and the code appears.",
    how_to_stop="Ctrl-C to stop",
    pair_heading="Linking a phone through PlugChat",
    pair_elsewhere="Or have it in a file: plugchat pair --output code.png",
    pair_on_light="On a light theme, use --output code.png",
    pair_picture="The code is in {path} too, as long as it can be scanned.",
    pair_no_viewer="No viewer was found. Open {path} yourself.",
    pair_linked="Linked: the phone is connected.",
    pair_question="Three codes came and went without a scan.\n"
    "Press Enter for three more, or Ctrl-C to stop: ",
    pair_expired=Sentences(
        "The codes came and went without a scan.",
        "Run it again when the phone is at hand: plugchat pair",
    ),
    web_address="The page is ready, for the first browser on this machine that opens\n\n"
    "  {address}\n\nThe address opens once. The codes begin when the page does.",
    web_missing=Sentences(
        "The live page needs FastAPI and Jinja2 (extra [fastapi]).",
        "Run: {command}",
    ),
    connected="Connected: a phone is linked.",
    connected_offline="Connected: a phone is linked, but it is offline.",
    not_connected="Not connected: no phone is linked.",
    session_lost="Not connected: the session has to be restored.",
    link_it="Link one: plugchat pair",
    sandbox_serves="A PlugChat on this machine. In another terminal:",
    sandbox_phone="Its phone scans each code {seconds:g} s after it was asked for.",
    sandbox_no_phone="Nobody scans its codes. For a phone that does, start it with --scan-after 5",
    sandbox_scanned="the phone scanned the code",
    sandbox_stop="Any token will do, and each is an instance of its own. Ctrl-C to stop.",
    sandbox_port=Sentences(
        "The sandbox can't listen on {host}, port {port}: {reason}.",
        "Choose another --host or --port; without --port, a free one is taken.",
    ),
    demo_heading="A PlugChat on this machine: {base_url}",
    demo_phone_waits="The sandbox's phone lets this one pass, and scans the next.",
    demo_phone_scans="The sandbox's phone is about to scan this one.",
    demo_phone_scanned="Scanned. Asking whether the phone is linked...",
    demo_short_code="This code is shorter; a real one needs a larger window.",
    demo_linked="Linked: the phone scanned code {round} of {rounds}.",
    demo_record="What went over HTTP, to {base_url}",
    demo_next="With an instance of your own",
    demo_next_token="its token, from PlugChat's panel",  # noqa: S106 - says where it is
    demo_expired=Sentences(
        "Three codes came and went without a scan.",
        "This machine was asleep, or very busy. Try again.",
    ),
)

PORTUGUESE = Texts(
    needs_extra="O plugchat precisa de {packages} (extra [cli]). Rode: {command}",
    error="Erro",
    warning="Aviso",
    detail="O PlugChat disse: {detail}",
    failures={
        "already_connected": Sentences(
            "Esta instância já está conectada a um celular; não há código para escanear.",
            "Desconecte-a no painel do PlugChat antes de conectar outro celular.",
        ),
        "authentication_error": Sentences(
            "O PlugChat recusou o token.",
            "Copie-o de novo do painel do PlugChat.",
        ),
        "instance_not_found": Sentences(
            "O PlugChat não conhece esta instância ou este endereço.",
            "Confira o token e a URL base, que termina em /api/whatsapp.",
        ),
        "network_error": Sentences(
            "Não foi possível falar com o PlugChat.",
            "Confira a rede e, se você informou uma, a URL base.",
        ),
        "passkey_required": Sentences(
            "Esta conta do WhatsApp exige uma chave de acesso, confirmada só em um navegador.",
            "Tentar de novo não adianta. Pergunte ao suporte do PlugChat como conectar esta conta.",
        ),
        "qr_not_ready": Sentences(
            "O PlugChat ainda não tem um código.",
            "Tente de novo em alguns segundos.",
        ),
        "rate_limited": Sentences(
            "Foram pedidos códigos demais.",
            "Espere alguns minutos antes de tentar de novo.",
        ),
        "request_timeout": Sentences(
            "O PlugChat não respondeu a tempo.",
            "Confira a rede ou dê mais tempo com --timeout.",
        ),
        "server_error": Sentences(
            "O PlugChat está fora do ar no momento.",
            "Tente de novo mais tarde.",
        ),
        "subscription_required": Sentences(
            "O teste desta instância acabou ou a assinatura não está paga.",
            "Renove-a no painel do PlugChat.",
        ),
        "unexpected_redirect": Sentences(
            "O PlugChat redirecionou a chamada, o que não é seguido: o token iria junto.",
            "Confira a URL base, que termina em /api/whatsapp.",
        ),
        "unexpected_response": Sentences(
            "O PlugChat respondeu algo que não é um código nem um erro conhecido.",
            "Tente de novo; se não resolver, confira a URL base, que termina em /api/whatsapp.",
        ),
    },
    no_token=Sentences(
        "Falta o token.",
        "Defina PLUGCHAT_TOKEN, indique um arquivo com --token-file ou use um terminal, que"
        " pergunta.",
    ),
    token_prompt="Token (não aparece): ",  # noqa: S106 - a prompt
    token_unusable=Sentences(
        "O token está vazio, é longo demais ou tem caracteres que nenhum token tem.",
        "Copie-o de novo do painel do PlugChat.",
    ),
    token_quoted=Sentences(
        "O token está entre aspas, que são enviadas como parte dele.",
        "Remova as aspas: o docker --env-file mantém as do arquivo.",
    ),
    token_file_unreadable=Sentences(
        "Não foi possível ler o token de {path}: {reason}.",
        "Indique um arquivo de texto que contenha só o token.",
    ),
    no_text="não é texto em UTF-8",
    wrong_content="está vazio, é longo demais ou tem caracteres que nenhum token tem",
    quoted="está entre aspas",
    file_is_readable_by_others="Outros usuários podem ler {path}. Proteja-o com: chmod 600 {path}",
    base_url_unusable=Sentences(
        "A URL base não é válida.",
        "Ela começa com https:// e termina em /api/whatsapp, sem usuário, consulta ou fragmento.",
    ),
    base_url_quoted=Sentences(
        "A URL base está entre aspas, que são consideradas parte dela.",
        "Remova as aspas: o docker --env-file mantém as do arquivo.",
    ),
    base_url_insecure=Sentences(
        "A URL base usa http simples para outra máquina: o token trafegaria sem criptografia.",
        "Use https ou permita com --allow-insecure-http.",
    ),
    decoder_missing=Sentences(
        "O PlugChat respondeu com uma imagem em vez de texto.",
        "Para ler o código nela, faltam o Pillow e o zxing-cpp (extra [decode]). Rode: {command},"
        " ou salve-a: plugchat image --output ARQUIVO",
    ),
    environment_unusable=Sentences(
        "Não é possível abrir uma conexão: {reason}.",
        "Confira as variáveis de ambiente SSL_CERT_FILE, HTTPS_PROXY, ALL_PROXY e NO_PROXY.",
    ),
    output_wanted=Sentences(
        "Uma imagem não pode ser escrita em um terminal.",
        "Indique um arquivo com --output ARQUIVO ou use um pipe.",
    ),
    output_suffix=Sentences(
        "{path} não termina em .png nem em .svg.",
        "Chame o arquivo de codigo.png ou codigo.svg, por exemplo.",
    ),
    output_unwritable=Sentences(
        "Não é possível gravar {path}: {reason}.",
        "Indique um arquivo em uma pasta que exista e em que você possa gravar.",
    ),
    no_file="é uma pasta, um pipe ou um dispositivo",
    output_failed=Sentences(
        "O sistema recusou: {reason}.",
        "Confira para onde vai a saída e se há espaço para ela.",
    ),
    output_exists=Sentences(
        "{path} já existe, e o código nele seria apagado no fim.",
        "Indique um arquivo que não existe ou apague este.",
    ),
    output_misnamed="A imagem é {media_type}, o que o nome {path} não diz.",
    saved="Salvo em {path}. Pode ser escaneado por {seconds} s: até {until}.",
    too_small=Sentences(
        "O código precisa de uma janela de {columns} x {rows} caracteres; esta tem"
        " {width} x {height}.",
        "Aumente-a ou salve o código com --output codigo.png",
    ),
    inverted_on_light=(
        "Desenhado sem cores, para um terminal que escreve claro no escuro. Em um claro, use"
        " --output codigo.png"
    ),
    asking="Pedindo um código...",
    steps_title="Conecte um celular",
    steps=(
        "Abra o WhatsApp no celular",
        "Configurações > Aparelhos conectados",
        "Conectar um aparelho",
        "Aponte a câmera para este código",
    ),
    scan_this=(
        "No celular: WhatsApp > Configurações > Aparelhos conectados > Conectar um aparelho"
    ),
    scan_this_briefly="WhatsApp > Aparelhos conectados > Conectar um aparelho",
    lives_for="Este código pode ser escaneado por {seconds} s: até {until}.",
    place="Código {round} de {rounds}",
    next_in="um novo em {seconds} s",
    expires_in="expira em {seconds} s",
    window_too_small="Esta janela é pequena demais para o código",
    window_to_enlarge="Ele precisa de {columns} x {rows} caracteres; ela tem {width} x {height}.\n"
    "Aumente-a, e o código aparece.",
    how_to_stop="Ctrl-C para parar",
    pair_heading="Conectando um celular pelo PlugChat",
    pair_elsewhere="Ou salve-o em um arquivo: plugchat pair --output codigo.png",
    pair_on_light="Em um tema claro, use --output codigo.png",
    pair_picture="O código também está em {path}, enquanto pode ser escaneado.",
    pair_no_viewer="Nenhum visualizador foi encontrado. Abra {path}.",
    pair_linked="Pronto: o celular está conectado.",
    pair_question="Três códigos vieram e se foram sem que ninguém os escaneasse.\n"
    "Tecle Enter para mais três ou Ctrl-C para parar: ",
    pair_expired=Sentences(
        "Os códigos vieram e se foram sem que ninguém os escaneasse.",
        "Rode de novo com o celular à mão: plugchat pair",
    ),
    web_address="A página está pronta, para o primeiro navegador desta máquina que abrir\n\n"
    "  {address}\n\nO endereço abre uma vez. Os códigos começam com a página.",
    web_missing=Sentences(
        "A página ao vivo precisa do FastAPI e do Jinja2 (extra [fastapi]).",
        "Rode: {command}",
    ),
    connected="Conectada: há um celular conectado.",
    connected_offline="Conectada: há um celular conectado, mas ele está offline.",
    not_connected="Não conectada: nenhum celular conectado.",
    session_lost="Não conectada: a sessão precisa ser restaurada.",
    link_it="Conecte um: plugchat pair",
    sandbox_serves="Um PlugChat nesta máquina. Em outro terminal:",
    sandbox_phone="O celular dele escaneia cada código {seconds:g} s depois de pedido.",
    sandbox_no_phone="Ninguém escaneia os códigos dele. Para um celular que o faça, use"
    " --scan-after 5",
    sandbox_scanned="o celular escaneou o código",
    sandbox_stop="Qualquer token serve, e cada um é uma instância própria. Ctrl-C para parar.",
    sandbox_port=Sentences(
        "O sandbox não consegue escutar em {host}, porta {port}: {reason}.",
        "Escolha outro --host ou outra --port; sem --port, usa-se uma livre.",
    ),
    demo_heading="Um PlugChat nesta máquina: {base_url}",
    demo_phone_waits="O celular do sandbox deixa este passar e escaneia o próximo.",
    demo_phone_scans="O celular do sandbox já vai escanear este.",
    demo_phone_scanned="Escaneado. Verificando se o celular está conectado...",
    demo_short_code="Este código é mais curto: os do WhatsApp não cabem aqui.",
    demo_linked="Conectado: o celular escaneou o código {round} de {rounds}.",
    demo_record="O que passou por HTTP, para {base_url}",
    demo_next="Com uma instância sua",
    demo_next_token="o token dela, do painel do PlugChat",  # noqa: S106 - says where it is
    demo_expired=Sentences(
        "Três códigos vieram e se foram sem que ninguém os escaneasse.",
        "A máquina estava dormindo ou muito ocupada. Tente de novo.",
    ),
)


def texts() -> Texts:
    """Choose the language by the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set."""
    names = (os.environ.get(variable) for variable in ("LC_ALL", "LC_MESSAGES", "LANG"))
    locale = next((name for name in names if name), "")
    return PORTUGUESE if locale.lower().startswith("pt") else ENGLISH
