"""Networks of `simulators/accelerator/networks` as PyTorch modules, from the same papers, with modules called like the layers there."""

import torch
from torch import nn
from torch.nn import functional


class AlexNet(nn.Module):
    """Krizhevsky et al., NIPS 2012, section 3.5."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 96, 11, stride=4)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2, groups=2)
        self.conv3 = nn.Conv2d(256, 384, 3, padding=1)
        self.conv4 = nn.Conv2d(384, 384, 3, padding=1, groups=2)
        self.conv5 = nn.Conv2d(384, 256, 3, padding=1, groups=2)
        self.fc6, self.fc7, self.fc8 = nn.Linear(256 * 36, 4096), nn.Linear(4096, 4096), nn.Linear(4096, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.local_response_norm(self.conv1(x).relu(), 5)
        x = self.conv2(functional.max_pool2d(x, 3, 2)).relu()
        x = self.conv3(functional.max_pool2d(x, 3, 2)).relu()
        x = self.conv5(self.conv4(x).relu()).relu()
        x = functional.max_pool2d(x, 3, 2).flatten(1)
        x = functional.dropout(self.fc6(x).relu(), training=self.training)
        return self.fc8(self.fc7(x).relu()).softmax(-1)


class Vgg16(nn.Sequential):
    """Simonyan and Zisserman, ICLR 2015, table 1, D."""

    def __init__(self) -> None:
        parts: list[nn.Module] = []
        channels = 3
        for count, k in ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512)):
            for _ in range(count):
                parts += [nn.Conv2d(channels, k, 3, padding=1), nn.ReLU()]
                channels = k
            parts.append(nn.MaxPool2d(2))
        parts += [nn.Flatten(), nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
        super().__init__(*parts)


class _Residual(nn.Module):
    def __init__(self, channels: int, k: int, stride: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(channels, k, 3, stride, 1, bias=False), nn.Conv2d(k, k, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(k), nn.BatchNorm2d(k)])
        self.shortcut = nn.Conv2d(channels, k, 1, stride, bias=False) if channels != k else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norms[0](self.first(x)).relu()
        return (self.norms[1](self.second(y)) + self.shortcut(x)).relu()


class ResNet18(nn.Module):
    """He et al., CVPR 2016, table 1."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        blocks = []
        channels = 64
        for k in (64, 128, 256, 512):
            for block in range(2):
                blocks.append(_Residual(channels, k, 2 if channels != k and block == 0 else 1))
                channels = k
        self.blocks, self.fc = nn.Sequential(*blocks), nn.Linear(512, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(self.norm(self.conv1(x)).relu(), 3, 2, 1)
        return self.fc(functional.adaptive_avg_pool2d(self.blocks(x), 1).flatten(1))


class _Inverted(nn.Sequential):
    def __init__(self, channels: int, k: int, stride: int, expansion: int) -> None:
        wide = channels * expansion
        expand = [nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU6()] if expansion > 1 else []
        super().__init__(
            *expand, nn.Conv2d(wide, wide, 3, stride, 1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.ReLU6(),
            nn.Conv2d(wide, k, 1, bias=False), nn.BatchNorm2d(k),
        )  # fmt: skip
        self.adds = stride == 1 and channels == k

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input + super().forward(input) if self.adds else super().forward(input)


class MobileNetV2(nn.Sequential):
    """Sandler et al., CVPR 2018, table 2."""

    def __init__(self) -> None:
        parts: list[nn.Module] = [nn.Conv2d(3, 32, 3, 2, 1)]
        channels = 32
        blocks = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
        for expansion, k, count, stride in blocks:
            for block in range(count):
                parts.append(_Inverted(channels, k, stride if block == 0 else 1, expansion))
                channels = k
        super().__init__(*parts, nn.Conv2d(320, 1280, 1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, 1000))


class BertBlock(nn.Module):
    """Devlin et al., NAACL 2019, section 3."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.attention_out = (nn.Linear(768, 768) for _ in range(4))
        self.feed_forward_in, self.feed_forward_out = nn.Linear(768, 3072), nn.Linear(3072, 768)
        self.norm = nn.LayerNorm(768)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, key, value = (part(x).unflatten(-1, (12, 64)).transpose(1, 2) for part in (self.query, self.key, self.value))
        read = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        x = self.norm(x + self.attention_out(read))
        return self.norm(x + self.feed_forward_out(functional.gelu(self.feed_forward_in(x))))
